"""The reverter as it is deployed: with the rights of its account, on a real API server and a real Git server."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
import yaml

from components.contracts.errors import RankloopError
from components.gitops import settings as names
from pipelines.cluster import watching
from pipelines.cluster.api import Cluster as Reached
from pipelines.cluster.api import connect
from pipelines.cluster.rollouts import Rollouts
from pipelines.cluster.watching import Watching
from tests.components.gitops.bench import Bench, bench
from tests.components.gitops.rollouts import (
    CANARY_HASH,
    STABLE_HASH,
    analysis_run,
    replica_set,
    result,
    rollout,
    status_aborted,
    status_at_work,
    status_through,
)
from tests.forges.forge import Request
from tests.forges.github import GitHub
from tests.kubernetes.server import Cluster
from tests.manifests.overlays import component, moved
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=20)

OLD, NEW = (f"sha256:{digit * 64}" for digit in "12")
ERRORS = result("errors", "Failed", "[0.03125]")
FEW = result("requests", "Failed", "[12]")
ADMINISTRATOR = "administrator"


@dataclass
class Service:
    """The service of an environment in a namespace, and the controller of Rollouts, whose part the test takes."""

    cluster: Cluster
    namespace: str
    made: Bench
    folder: Path
    said: list[str] = field(default_factory=list)

    def deploy(self, bundle: str) -> None:
        """Merge a bundle, and apply the Rollout of it, as Argo CD does."""
        self.made.repository.set_live("staging", bundle)
        self._apply(rollout(bundle, {}))

    def becomes(self, status: dict[str, Any]) -> None:
        """Write a status as the controller does."""
        seen = {"observedGeneration": str(self.rollout["metadata"]["generation"])}
        nothing = dict.fromkeys(self.rollout.get("status", {}))
        self.patch("rollout", "rankloop", {"status": nothing | seen | status}, "--subresource=status")

    def judge(self, phase: str, *results: dict[str, Any]) -> None:
        """End the canary's analysis, and the canary with it."""
        run = analysis_run(phase, *results)
        run["metadata"]["ownerReferences"][0]["uid"] = self.rollout["metadata"]["uid"]
        for each in run["spec"]["metrics"]:
            each["provider"] = {"prometheus": {"address": "http://prometheus", "query": "vector(0)"}}
        self._apply(run)
        self.becomes(status_aborted(phase))

    def patch(self, kind: str, name: str, change: dict[str, Any], *options: str) -> None:
        """Merge a change into an object."""
        place = (f"--namespace={self.namespace}", "--type=merge", f"--patch={json.dumps(change)}", *options)
        answer = self.cluster.kubectl("patch", kind, name, *place)
        assert answer.returncode == 0, answer.stderr

    @property
    def rollout(self) -> dict[str, Any]:
        """Return the Rollout as it is."""
        [found] = self.cluster.get("rollout", "rankloop", f"--namespace={self.namespace}")
        return found

    @property
    def reverts(self) -> list[Request]:
        """Return the pull requests of reverts."""
        assert self.made.forge is not None
        return [each for each in self.made.forge.requests if "/revert-" in each.branch]

    def watching(self, **variables: str) -> Watching:
        """Return the watch of a new process."""
        return Watching("staging", self.namespace, self.made.variables | variables, self.said.append, lambda _: None)

    def _apply(self, document: dict[str, Any]) -> None:
        """Apply what the server does not write itself."""
        written = deepcopy(document)
        for name in ("uid", "generation", "creationTimestamp"):
            written["metadata"].pop(name, None)
        written["metadata"]["namespace"] = self.namespace
        if written["kind"] == "Rollout":
            del written["status"]
        self.cluster.apply(written)


@pytest.fixture
def namespace() -> str:
    return f"reverter-{uuid4().hex[:8]}"


@pytest.fixture
def kubeconfig(platform_cluster: Cluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Deploy the component, and give this process the rights of its account."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespaced = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    resources = [one for one in moved(component("reverter"), namespace) if one["kind"] != "Deployment"]
    platform_cluster.apply(namespaced, *resources)
    made = platform_cluster.kubectl("create", "token", "rankloop-reverter", f"--namespace={namespace}")
    assert made.returncode == 0, made.stderr
    return used(platform_cluster, made.stdout.strip(), tmp_path, monkeypatch)


def used(cluster: Cluster, token: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let this process show a token to the API server."""
    document = yaml.safe_load(cluster.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token}
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    monkeypatch.setenv("KUBECONFIG", str(file))
    return file


@pytest.fixture
def service(platform_cluster: Cluster, namespace: str, kubeconfig: Path, tmp_path: Path) -> Iterator[Service]:
    """A service that serves the old bundle, and whose canary of the new one is at work."""
    with bench(tmp_path, GitHub) as made:
        service = Service(platform_cluster, namespace, made, tmp_path)
        sets = [replica_set(STABLE_HASH, OLD), replica_set(CANARY_HASH, NEW)]
        for one in sets:
            one["metadata"]["namespace"] = namespace
        platform_cluster.apply(*sets)
        service.deploy(OLD)
        service.deploy(NEW)
        service.becomes(status_at_work())
        yield service


def live_states(service: Service) -> list[str]:
    assert service.made.forge is not None
    return [state for _, context, state in service.made.forge.statuses if context == "rankloop/live"]


def test_a_canary_that_fails_while_it_is_watched_is_reverted_and_its_revert_goes_live(service: Service) -> None:
    watch = service.watching()

    def twice() -> None:
        for _ in range(2):
            watch.tick()

    thread = Thread(target=twice)
    thread.start()
    until(lambda: live_states(service) == ["pending"])
    service.judge("Failed", FEW, ERRORS)
    until(lambda: bool(service.reverts))
    service.becomes(status_aborted("Failed") | {"message": "ended"})
    thread.join(timeout=120)
    assert not thread.is_alive()
    [request] = service.reverts
    assert "0.03125" in request.text
    assert live_states(service) == ["pending", "failure"]
    assert service.made.forge is not None
    assert service.made.forge.merge(request)
    service._apply(rollout(OLD, {}))
    service.becomes(status_through(STABLE_HASH))
    service.watching().look()
    assert live_states(service) == ["pending", "failure", "success"]
    assert service.made.repository.live("staging") == OLD
    assert len(service.said) == len(set(service.said))


def test_a_canary_that_could_not_be_judged_gets_another_try_by_the_clock_of_the_server(service: Service) -> None:
    service.judge("Failed", FEW)
    service.watching(**{names.RETRY_MINUTES: "0"}).look()
    assert service.rollout["status"]["abort"] is True
    service.patch("rollout", "rankloop", {"status": {"abortedAt": "2199-01-01T00:00:00Z"}}, "--subresource=status")
    service.watching().look()
    assert service.rollout["status"]["abort"] is True, "a clock that is ahead counts as no time"
    service.patch("rollout", "rankloop", {"status": {"abortedAt": "2026-01-01T00:00:00Z"}}, "--subresource=status")
    service.watching().look()
    assert "abort" not in service.rollout["status"] or service.rollout["status"]["abort"] is False
    assert service.reverts == []
    assert live_states(service) == ["pending"]
    assert "could not be judged" in service.said[-1]


def test_what_is_new_in_git_is_followed_without_a_change_of_the_cluster(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "ASK_SECONDS", 0.0)
    service.judge("Failed", ERRORS)
    watch = service.watching()
    for _ in range(3):
        watch.look()
    fetches = [line for line in service.made.git.lines if line.endswith("/git-upload-pack")]
    watch.look()
    again = [line for line in service.made.git.lines if line.endswith("/git-upload-pack")]
    assert len(again) - len(fetches) <= 1, "the names of branches alone"
    service.made.repository.set_live("staging", OLD)
    watch.look()
    assert [request.state for request in service.reverts] == ["closed"]


def test_a_version_that_is_too_old_is_looked_at_anew(service: Service) -> None:
    rollouts = Rollouts(Reached(connect(), service.namespace))
    rollouts.wait("1")
    seen = rollouts.look()
    assert seen is not None
    thread = Thread(target=rollouts.wait, args=(seen.version,))
    thread.start()
    service.becomes(status_through())
    thread.join(timeout=50)
    assert not thread.is_alive()
    changed = rollouts.look()
    assert changed is not None
    assert (seen.canary.state, changed.canary.state) == ("at work", "through")


def test_a_restricted_namespace_takes_its_pod(service: Service) -> None:
    service.cluster.apply(*_deployed(service.namespace))
    selector = "--selector=app.kubernetes.io/component=reverter"
    until(lambda: bool(service.cluster.get("pods", selector, f"--namespace={service.namespace}")))
    [pod] = service.cluster.get("pods", selector, f"--namespace={service.namespace}")
    assert pod["spec"]["serviceAccountName"] == "rankloop-reverter"
    secrets = [volume["secret"]["secretName"] for volume in pod["spec"]["volumes"] if "secret" in volume]
    assert secrets == ["rankloop-git"]


@pytest.mark.parametrize(("age", "is_well"), [(10, True), (400, False), (None, False)])
def test_its_probe_fails_where_it_looks_no_more(tmp_path: Path, age: int | None, is_well: bool) -> None:
    [deployment] = _deployed("any")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    program, *options, script = container["livenessProbe"]["exec"]["command"]
    assert program == "python"
    heartbeat = tmp_path / "watching"
    if age is not None:
        heartbeat.touch()
        os.utime(heartbeat, (time.time() - age,) * 2)
    command = [sys.executable, *options, script.replace("/tmp/watching", str(heartbeat))]
    assert (subprocess.run(command, capture_output=True, check=False).returncode == 0) == is_well


def _deployed(namespace: str) -> list[dict[str, Any]]:
    return [one for one in moved(component("reverter"), namespace) if one["kind"] == "Deployment"]


def test_its_account_may_do_nothing_else(service: Service, kubeconfig: Path) -> None:
    account = f"--as=system:serviceaccount:{service.namespace}:rankloop-reverter"
    place = f"--namespace={service.namespace}"

    def may(*question: str) -> bool:
        return service.cluster.kubectl("auth", "can-i", *question, account, place).stdout.strip() == "yes"

    assert may("watch", "rollouts.argoproj.io/rankloop")
    assert may("patch", "rollouts.argoproj.io/rankloop", "--subresource=status")
    for question in (
        ("list", "rollouts.argoproj.io"),
        ("patch", "rollouts.argoproj.io/rankloop"),
        ("patch", "rollouts.argoproj.io/another", "--subresource=status"),
        ("delete", "analysisruns.argoproj.io"),
        ("get", "secrets"),
        ("list", "pods"),
    ):
        assert not may(*question), question


@pytest.mark.parametrize(
    ("rights", "message"),
    [
        ("rollouts", 'cannot list resource "rollouts"'),
        ("analysisruns", 'cannot list resource "analysisruns"'),
        ("replicasets", 'cannot list resource "replicasets"'),
    ],
)
def test_a_right_that_is_missing_is_one_line(service: Service, rights: str, message: str) -> None:
    [role] = service.cluster.get("role", "rankloop-reverter", f"--namespace={service.namespace}")
    rules = [rule for rule in role["rules"] if rights not in rule["resources"]]
    service.patch("role", "rankloop-reverter", {"rules": rules})
    watch = service.watching()
    until(lambda: _trouble(watch) is not None)
    for _ in range(2):
        watch.tick()
    [said] = service.said
    assert message in said


def _trouble(watch: Watching) -> str | None:
    try:
        watch.look()
    except RankloopError as error:
        return str(error)
    return None


def test_an_account_that_nobody_knows_is_one_line(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used(service.cluster, "nobody", tmp_path, monkeypatch)
    service.watching().tick()
    [said] = service.said
    assert "the API server knows no such account" in said


def test_a_namespace_without_a_rollout_is_waited_for(service: Service) -> None:
    answer = service.cluster.kubectl("delete", "rollout", "rankloop", f"--namespace={service.namespace}")
    assert answer.returncode == 0, answer.stderr
    watch = service.watching()
    for _ in range(2):
        watch.tick()
    assert service.said == [f"there is no Rollout in the namespace {service.namespace} yet"]


def test_without_a_repository_it_says_so_and_goes_on(service: Service) -> None:
    watch = service.watching(**{names.URL: ""})
    for _ in range(2):
        watch.tick()
    [said] = service.said
    assert said.startswith("RANKLOOP_GIT_URL: found nothing")


def test_a_token_of_git_that_is_refused_is_one_line(service: Service) -> None:
    (service.folder / "token").write_text("wrong\n")
    service.judge("Failed", ERRORS)
    watch = service.watching()
    for _ in range(2):
        watch.tick()
    [said] = service.said
    assert "the token of RANKLOOP_GIT_TOKEN_FILE was refused" in said
