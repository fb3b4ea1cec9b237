"""A cluster that knows Kubeflow's resources."""

import pytest

from tests.kubernetes.server import Cluster
from tests.manifests.overlays import KUBEFLOW


@pytest.fixture(scope="session")
def kubeflow_cluster(cluster: Cluster) -> Cluster:
    names = cluster.apply(KUBEFLOW.read_text())
    answer = cluster.kubectl("wait", "--for=condition=Established", "--timeout=600s", *names)
    assert answer.returncode == 0, answer.stderr
    return cluster
