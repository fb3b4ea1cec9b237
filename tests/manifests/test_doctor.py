"""`rankloop doctor --cluster` asks a real API server about a namespace of the local overlay."""

import pytest

from pipelines.cluster import outside
from pipelines.cluster.examination import examine_cluster
from pipelines.cluster.images import Found
from tests.kubernetes.server import Cluster
from tests.manifests.overlays import moved, overlay

NAMESPACE = "examined"


def test_the_namespace_of_an_overlay_is_well_until_its_limit_range_is_gone(
    platform_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform_cluster.apply(*moved(overlay("local"), NAMESPACE))
    monkeypatch.setenv("KUBECONFIG", str(platform_cluster.kubeconfig))
    monkeypatch.setattr("pipelines.cluster.api.SECONDS", 60)  # on a busy machine
    monkeypatch.setattr(outside, "find_image", lambda image: Found.THERE)
    states = {one.subject: one for one in examine_cluster(NAMESPACE)}
    for subject in ("cluster", "clock", "pod security", "largest step", "quota", "egress", "kfp-launcher"):
        assert states[subject].well, states[subject]
    assert states["kinds"].found.startswith("missing: scheduledworkflows of kubeflow.org/v1beta1, workflows")
    platform_cluster.kubectl("delete", "limitrange", "--all", f"--namespace={NAMESPACE}")
    states = {one.subject: one for one in examine_cluster(NAMESPACE)}
    assert "no LimitRange gives defaults" in states["quota"].found
    (finding,) = (one for one in examine_cluster("nowhere") if one.subject == "namespace")
    assert not finding.well
