"""Rendering every overlay and applying it to an empty API server, and the same once more.

    python -m tests.benchmarks.manifests

The peer is the second time, which changes nothing. Kubernetes' programs are built before, and starting the server is
not counted.
"""

import tempfile
import time
from pathlib import Path

from tests.kubernetes.modules import ROLLOUTS, definitions
from tests.kubernetes.server import Cluster, kubernetes_server
from tests.manifests.overlays import KUBEFLOW, MANIFESTS, OVERLAYS, rendered


def seconds(cluster: Cluster) -> float:
    """Render and apply all overlays; return how long that took."""
    started = time.perf_counter()
    for name in OVERLAYS:
        cluster.apply(rendered(MANIFESTS / "overlays" / name))
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, kubernetes_server(Path(folder)) as cluster:
        names = cluster.apply(KUBEFLOW.read_text(), definitions(ROLLOUTS))
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=600s", *names)
        first, second = seconds(cluster), seconds(cluster)
    print(
        f"{len(OVERLAYS)} overlays rendered and applied: {first:.1f} s; again: {second:.1f} s ({first / second:.1f} x)"
    )


if __name__ == "__main__":
    main()
