"""A wave that is not well ends a sync, and what comes after it stays as it was, on a real API server.

The test takes the parts of those that are not there: of Argo CD, which applies wave by wave and judges each resource by
its script; of Kubeflow's webhook, which makes a version a part of its pipeline; of the controller of Rollouts.
"""

import json
from copy import deepcopy
from itertools import groupby
from typing import Any

from components.bundles.digest import NO_BUNDLE
from tests.kubernetes.server import Cluster
from tests.manifests.health import judged, own_check, rollout_check
from tests.manifests.overlays import moved, overlay

NAMESPACE = "waves"
NEW = f"sha256:{'ab' * 32}"
WAVE, HOOK = "argocd.argoproj.io/sync-wave", "argocd.argoproj.io/hook"
CHECKED = ("Pipeline", "PipelineVersion", "Rollout")
KINDS = {"Namespace", *CHECKED, "Job"}


class Syncs:
    """Syncs of the production overlay."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        every = moved(overlay("production"), NAMESPACE)
        self._resources = sorted((one for one in every if one["kind"] in KINDS), key=_order)
        self.sees_versions = True  # Kubeflow's webhook
        self.phase = "Healthy"  # what becomes of the Rollout

    def run(self, bundle: str, version: str) -> list[str]:
        """Apply wave by wave, as long as each is well; return the kinds that were applied."""
        resources = [_changed(one, bundle, version) for one in self._resources]
        applied: list[str] = []
        for _, wave in groupby(resources, key=_order):
            members = list(wave)
            self._cluster.apply(*members)
            applied += [one["kind"] for one in members]
            self._others_act(members)
            if not all(self._is_well(one) for one in members if one["kind"] in CHECKED):
                break
        return applied

    def _others_act(self, members: list[dict[str, Any]]) -> None:
        for one in members:
            if one["kind"] == "PipelineVersion" and self.sees_versions:
                name = one["spec"]["pipelineName"]
                pipeline = self._live({"kind": "Pipeline", "metadata": {"name": name}})
                owner = {"apiVersion": one["apiVersion"], "kind": "Pipeline", "name": name}
                owner |= {"uid": pipeline["metadata"]["uid"]}
                self._patch(one, {"metadata": {"ownerReferences": [owner]}})
            if one["kind"] == "Rollout":
                generation = self._live(one)["metadata"]["generation"]
                status = {"phase": self.phase, "observedGeneration": str(generation)}
                self._patch(one, {"status": status}, "--subresource=status")

    def _patch(self, resource: dict[str, Any], change: dict[str, Any], *options: str) -> None:
        command = ("patch", *_names(resource), "--type=merge", f"--patch={json.dumps(change)}", *options)
        answer = self._cluster.kubectl(*command)
        assert answer.returncode == 0, answer.stderr

    def _is_well(self, resource: dict[str, Any]) -> bool:
        check = rollout_check() if resource["kind"] == "Rollout" else own_check(resource["kind"])
        return judged(check, self._live(resource))["status"] == "Healthy"

    def _live(self, resource: dict[str, Any]) -> dict[str, Any]:
        [live] = self._cluster.get(*_names(resource))
        return live


def _changed(resource: dict[str, Any], bundle: str, version: str) -> dict[str, Any]:
    """Return a resource of another commit: with another bundle, and other pipelines."""
    changed = deepcopy(resource)
    if resource["kind"] == "PipelineVersion":
        changed["metadata"]["name"] = f"{resource['spec']['pipelineName']}-{version}"
    if resource["kind"] == "Rollout":
        changed["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = bundle
    return changed


def _names(resource: dict[str, Any]) -> tuple[str, ...]:
    return (resource["kind"].lower(), resource["metadata"]["name"], f"--namespace={NAMESPACE}")


def _order(resource: dict[str, Any]) -> int:
    annotations = resource["metadata"].get("annotations", {})
    return 1000 if annotations.get(HOOK) == "PostSync" else int(annotations.get(WAVE, 0))


def _served(cluster: Cluster) -> str:
    [rollout] = cluster.get("rollout", "rankloop", f"--namespace={NAMESPACE}")
    bundle: str = rollout["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"]
    return bundle


def test_what_comes_after_a_broken_wave_stays_as_it_was(platform_cluster: Cluster) -> None:
    syncs = Syncs(platform_cluster)
    assert syncs.run(NO_BUNDLE, "first")[-1] == "Job"
    syncs.sees_versions = False
    assert syncs.run(NEW, "unseen")[-1] == "PipelineVersion"
    assert _served(platform_cluster) == NO_BUNDLE
    syncs.sees_versions, syncs.phase = True, "Degraded"
    assert syncs.run(NEW, "second")[-1] == "Rollout", "the schedules stay, and the controller keeps the old pods"
    syncs.phase = "Healthy"
    assert syncs.run(NO_BUNDLE, "first")[-1] == "Job"
    assert _served(platform_cluster) == NO_BUNDLE
