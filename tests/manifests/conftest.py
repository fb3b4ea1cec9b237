"""A cluster that knows the resources of the platform: of Kubeflow, Argo Rollouts, the Gateway API, KEDA, Prometheus."""

import pytest

from tests.kubernetes.modules import ARGO_CD, GATEWAY, KEDA, PROMETHEUS, ROLLOUTS, definitions
from tests.kubernetes.server import Cluster
from tests.manifests.overlays import KUBEFLOW
from tests.waiting import until


@pytest.fixture(scope="session")
def platform_cluster(cluster: Cluster) -> Cluster:
    return defined(cluster, KUBEFLOW.read_text(), *map(definitions, (ROLLOUTS, GATEWAY, KEDA, PROMETHEUS)))


@pytest.fixture(scope="session")
def argo_cluster(cluster: Cluster) -> Cluster:
    return defined(cluster, definitions(ARGO_CD))


def defined(cluster: Cluster, *texts: str) -> Cluster:
    names = cluster.apply(*texts)
    # kubectl refuses to wait for a resource that has no conditions yet.
    until(lambda: cluster.kubectl("wait", "--for=condition=Established", *names).returncode == 0)
    return cluster
