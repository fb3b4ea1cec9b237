"""Through Git alone on a real cluster with Argo CD and Argo Rollouts: a merge deploys, a revert takes it back.

Collected only by `make acceptance`. Meanwhile callers send 150 requests a second. What it makes lies in two namespaces,
one prefix of a bucket, one database of Redis, one Git repository, and under one name in Argo CD's namespace; the end
deletes all of it, however the tests ended, and looks.
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.bundles.digest import short
from components.contracts.images import read_image
from components.feedback.reading import served_events
from components.home.storage.documents import names_below, remove_documents
from components.home.storage.locations import BucketPath
from feature_repo.packed_online_store.backends.opening import open_backend
from pipelines.kubernetes import NAME
from pipelines.rendering import MANIFESTS
from tests.acceptance import online_store
from tests.acceptance.cluster import ENGINEER, Cluster, engineer
from tests.acceptance.gitops.argocd import ARGOCD, PATIENCE_SECONDS, Argo, followed, has_metrics, missing_kinds
from tests.acceptance.gitops.load import LoadPod, load
from tests.acceptance.gitops.overlay import INTERVAL_SECONDS, REPLICAS, write_cluster, write_images, write_overlay
from tests.acceptance.gitops.prometheus import prometheus, scraped_pods
from tests.acceptance.gitops.repository import GitServer, WorkingCopy, git_server
from tests.acceptance.gitops.settings import GitOpsSettings, read_gitops_settings
from tests.acceptance.gitops.shop import AcceptanceShop, make_shop
from tests.acceptance.images import push_images
from tests.acceptance.journal import note, timed
from tests.acceptance.kubeflow import Kubeflow
from tests.pipelines.homes.tiny_shop import rankloop
from tests.waiting import until

pytestmark = pytest.mark.filterwarnings("default")  # of the clients of Kubernetes and Kubeflow

RATE = 150  # requests a second
LOOK_SECONDS = 5  # between two looks at Argo CD while it has to stay green


@dataclass(frozen=True)
class ByGit:
    """What all tests share: a repository that Argo CD follows, a shop with bundles, callers."""

    settings: GitOpsSettings
    cluster: Cluster
    argo: Argo
    server: GitServer
    copy: WorkingCopy
    shop: AcceptanceShop
    load: LoadPod
    good: str  # the bundle that is served at first
    folder: Path

    def promote(self, digest: str) -> str:
        """Propose a bundle by the command and merge the branch as a person does; return the commit."""
        self.rankloop("promote", digest, "--home", str(self.shop.home.root))
        return self.copy.merge(f"{NAME}/{self.settings.environment}/{short(digest)}")

    def rankloop(self, *words: str) -> None:
        """Run a command about the environment as an engineer does; it must end well."""
        variables = {
            "RANKLOOP_GIT_URL": self.server.url,
            "RANKLOOP_GIT_FORGE": "none",
            "RANKLOOP_GIT_TOKEN_FILE": str(self.folder / "token"),
            "RANKLOOP_VERIFY_KEYS": str(self.folder / "keys"),
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            ended = rankloop(*words, "--env", self.settings.environment)
        assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def settings() -> GitOpsSettings:
    return read_gitops_settings()


@pytest.fixture(scope="module")
def images(settings: GitOpsSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if settings.settings.images:
        return settings.settings.images
    with timed("build and push the images"):
        return push_images(settings.settings.registry, tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def by_git(settings: GitOpsSettings, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByGit]:
    cluster, callers = Cluster(settings.settings), Cluster(settings.callers)
    if missing := missing_kinds(cluster):
        note(f"LEFT OUT: everything through Git, for the cluster does not serve {', '.join(missing)}")
        pytest.skip("no Argo CD, or no Argo Rollouts")
    check_empty(settings, cluster, callers)
    folder = tmp_path_factory.mktemp("by_git")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        stack.callback(lambda: remove_documents(objects_of(settings)))
        stack.callback(callers.delete_namespace)
        stack.callback(cluster.delete_namespace)
        stack.callback(delete_rows, settings)
        with timed("make a shop in the bucket, with signed bundles and rows online"):
            shop = make_shop(settings, folder, patch)
            good = shop.publish("good", k=11)
        server = stack.enter_context(git_server(settings, folder))
        (folder / "token").write_text(server.token)
        make_namespaces(settings, cluster, callers, server)
        kubeflow = Kubeflow(settings.settings, cluster.token(ENGINEER))
        stack.callback(kubeflow.delete_records)
        asked = stack.enter_context(prometheus(settings, cluster, shop.caller_key, folder))
        with timed("write the overlay, compile, render, push"):
            copy = working_copy(settings, cluster, server, folder, images, shop, asked)
            copy.write_bundle(good)
            copy.render()
            commit = copy.push("The first commit")
        cluster_folder = copy.folder / "manifests" / "clusters" / settings.environment
        argo = Argo(cluster, settings)
        stack.enter_context(followed(argo, server, cluster_folder))
        until(lambda: bool(argo.application().document), lambda: "Argo CD made no Application", 1)
        note(f"{argo.wait_deployed(commit):6.0f} s  Argo CD was given the cluster's folder → all is deployed and well")
        until(lambda: scraped_pods(asked, settings.namespace) == REPLICAS, lambda: f"{asked} reads no pods", 1, 60)
        service = address(settings, cluster)
        running = stack.enter_context(load(callers, read_image(images, "steps"), shop.caller_key, service, RATE))
        yield ByGit(settings, cluster, argo, server, copy, shop, running, good, folder)
        with timed("delete everything"):
            stack.close()
    assert not objects_of(settings)
    assert not cluster.has_namespace()
    assert not callers.has_namespace()
    left = cluster.kubectl(
        "get", "applications,applicationsets,appprojects,secrets", "--namespace", ARGOCD, "--output=name"
    )
    assert settings.name not in {line.partition("/")[2] for line in left.split()}


def check_empty(settings: GitOpsSettings, *clusters: Cluster) -> None:
    """Fail where something is there that the end would delete."""
    for cluster in clusters:
        assert not cluster.has_namespace(), (
            f"namespace {cluster.settings.namespace} is there; name a GITOPS_ENVIRONMENT"
        )
    assert not objects_of(settings), f"{settings.settings.store} is not empty; name another STORE"
    with closing(open_backend(settings.online_here)) as store:
        assert online_store.count(store) == 0, "the place of RANKLOOP_ONLINE_URL is not empty; name another one"


def delete_rows(settings: GitOpsSettings) -> None:
    """Delete the rows that were put online."""
    with closing(open_backend(settings.online_here)) as store:
        assert online_store.delete(store) == 0


def objects_of(settings: GitOpsSettings) -> list[BucketPath]:
    """Every object of this part of the acceptance."""
    return [settings.settings.store / name for name in names_below(settings.settings.store)]


def make_namespaces(settings: GitOpsSettings, cluster: Cluster, callers: Cluster, server: GitServer) -> None:
    """Make the namespaces and what Git may not hold: the Secrets."""
    for each in (cluster, callers):
        each.kubectl("create", "namespace", each.settings.namespace)
    callers.kubectl("label", "namespace", callers.settings.namespace, "rankloop/caller=true")
    secrets = {"rankloop": settings.secrets, "rankloop-git": {"token": server.token}}
    documents = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
        for name, values in secrets.items()
    ]
    items = {"apiVersion": "v1", "kind": "List", "items": [*documents, *engineer()]}
    cluster.kubectl("apply", "--namespace", settings.namespace, "--filename=-", document=json.dumps(items))


def working_copy(
    settings: GitOpsSettings,
    cluster: Cluster,
    server: GitServer,
    folder: Path,
    images: Path,
    shop: AcceptanceShop,
    asked: str,
) -> WorkingCopy:
    """Make the tree that is pushed: the project's manifests, an overlay, the pipelines with these images."""
    copy = WorkingCopy(folder / "copy", server, settings.environment)
    copy.create(MANIFESTS)
    namespace = cluster.kubectl("kustomize", settings.settings.overlay)
    metrics = has_metrics(cluster)
    write_overlay(copy, settings, namespace, shop.key.public.pem, asked, metrics)
    if not metrics:
        note("LEFT OUT: the autoscaler, for the cluster has no metrics server; pods are added by hand instead")
    write_images(copy, images)
    pipelines = copy.folder / "manifests" / "base" / "pipelines"
    ended = rankloop("compile", "--images", images, "--out", pipelines)
    assert ended.returncode == 0, ended.stderr
    write_cluster(copy, settings)
    return copy


def address(settings: GitOpsSettings, cluster: Cluster) -> str:
    """Return the address of the Service."""
    return str(cluster.api.read_namespaced_service("rankloop", settings.namespace).spec.cluster_ip)


def test_a_merge_deploys_another_bundle_and_its_revert_brings_back_the_first(by_git: ByGit) -> None:
    other = by_git.shop.publish("other", k=12)
    merged = time.time()
    commit = by_git.promote(other)
    seconds = by_git.argo.wait_deployed(commit)
    assert by_git.argo.served_bundle() == other
    canary = by_git.load.wait_for_answers(other)
    last = by_git.load.report().last(by_git.good) or 0
    note(f"{seconds:6.0f} s  a merge → the canary is through, Argo CD green")
    note(f"{last - merged:6.0f} s  a merge → the last answer of the old bundle")
    assert canary <= last, "the old bundle answers beside the canary"
    commit = by_git.copy.revert(commit)
    note(f"{by_git.argo.wait_deployed(commit):6.0f} s  its revert → the bundle before serves, Argo CD green")
    assert by_git.argo.served_bundle() == by_git.good


def test_what_is_changed_by_hand_is_changed_back(by_git: ByGit) -> None:
    named = ("poddisruptionbudget", "rankloop", "--namespace", by_git.settings.namespace)

    def maximum() -> str:
        return by_git.cluster.kubectl("get", *named, "--output=jsonpath={.spec.maxUnavailable}")

    before = maximum()
    with timed("what was changed by hand is changed back"):
        by_git.cluster.kubectl("patch", *named, "--type=merge", '--patch={"spec": {"maxUnavailable": 2}}')
        until(lambda: maximum() == before, lambda: str(by_git.argo.application()), 1)


def test_pods_that_are_added_stay_and_argo_cd_is_green(by_git: ByGit) -> None:
    """The number of pods is the autoscaler's: Git does not say it, Argo CD leaves it alone."""
    namespace = by_git.settings.namespace
    scale = ("scale", "rollout.argoproj.io/rankloop", "--namespace", namespace)
    states, ends = dict[str, int](), time.monotonic() + by_git.settings.green_seconds
    counts = [3, 2]
    with timed(f"Argo CD under load while pods come and go, for {by_git.settings.green_seconds:.0f} s"):
        while time.monotonic() < ends:
            replicas = counts[int((ends - time.monotonic()) // 60) % 2]
            if by_git.argo.rollout()["spec"].get("replicas") != replicas:
                by_git.cluster.kubectl(*scale, f"--replicas={replicas}")
            application = by_git.argo.application()
            state = f"{application.sync}, {application.health}"
            states[state] = states.get(state, 0) + 1
            time.sleep(LOOK_SECONDS)
    note(f"        looks at Argo CD: {', '.join(f'{count} {state}' for state, count in sorted(states.items()))}")
    assert set(states) <= {"Synced, Healthy", "Synced, Progressing"}
    by_git.cluster.kubectl(*scale, "--replicas=2")


def test_a_broken_wave_leaves_the_old_bundle_serving(by_git: ByGit) -> None:
    other = by_git.shop.publish("other", k=12)
    [version] = (by_git.copy.folder / "manifests" / "base" / "pipelines").glob("monitoring-version.yaml")
    content = version.read_text()
    version.write_text(content.replace("pipelineName: monitoring", "pipelineName: absent"))
    assert version.read_text() != content
    by_git.copy.write_bundle(other)
    by_git.copy.render()
    with timed("a commit whose pipeline version Kubeflow refuses → its sync fails"):
        commit = by_git.copy.push("A pipeline version without its pipeline, and another bundle")
        by_git.argo.wait_failed(commit)
    assert by_git.argo.served_bundle() == by_git.good
    note(f"        Argo CD says: {by_git.argo.application()}"[:400])
    commit = by_git.copy.revert(commit)
    note(f"{by_git.argo.wait_deployed(commit):6.0f} s  its revert → Argo CD green")


def test_a_bad_bundle_is_taken_back_and_out_of_git(by_git: ByGit) -> None:
    bad = by_git.shop.publish("bad", k=14, shift=-1000.0)
    branch = f"{NAME}/{by_git.settings.environment}/revert-{short(bad)}"
    merged = time.time()
    by_git.promote(bad)
    by_git.argo.refresh()
    first = by_git.load.wait_for_answers(bad)
    until(lambda: branch in by_git.copy.branches(), lambda: str(by_git.argo.rollout()["status"]), 1, PATIENCE_SECONDS)
    opened = time.time()
    limit = INTERVAL_SECONDS + 60
    note(f"{first - merged:6.0f} s  a merge of a bad bundle → its canary's first answer")
    note(f"{opened - first:6.0f} s  its first answer → a revert is proposed in Git (to be reached: {limit} s)")
    for line in by_git.copy.message(branch).splitlines():
        note(f"        {line}")
    with timed("until the last pod of the bad bundle is gone"):
        by_git.load.wait_without(bad)
    commit = by_git.copy.merge(branch)
    note(f"{by_git.argo.wait_deployed(commit):6.0f} s  the revert's merge → Argo CD green")
    assert by_git.argo.served_bundle() == by_git.good
    by_git.rankloop("breaker", "--reset")


def test_a_damaged_bundle_serves_nobody(by_git: ByGit) -> None:
    damaged = by_git.shop.publish("damaged", k=13)
    merged = time.monotonic()
    commit = by_git.promote(damaged)
    by_git.shop.damage(damaged)
    by_git.argo.refresh()
    said = by_git.argo.wait_aborted()
    note(f"{time.monotonic() - merged:6.0f} s  a merge of a bundle with one flipped byte → taken back: {said}"[:300])
    assert by_git.load.report().last(damaged) is None
    take_back(by_git, commit)


def take_back(by_git: ByGit, commit: str) -> None:
    """Merge the revert of a commit, as a person does, and wait until all is well."""
    commit = by_git.copy.revert(commit)
    note(f"{by_git.argo.wait_deployed(commit):6.0f} s  its revert → Argo CD green")
    assert by_git.argo.served_bundle() == by_git.good


def test_no_request_was_dropped_and_no_acknowledged_event_lost(by_git: ByGit) -> None:
    report = by_git.load.stop()
    seconds = report.seconds[-1].at - report.seconds[0].at
    acknowledged = report.acknowledged()
    note(f"{report.requests} requests in {seconds:.0f} s ({report.requests / seconds:.0f} a second)")
    note(f"        {len(report.dropped)} dropped, {report.refused} asked to come again")
    for line in report.dropped[:20]:
        note(f"        dropped: {line}")
    lost = acknowledged - set(served_events(by_git.shop.home)["event_id"].to_pylist())
    note(f"        {len(acknowledged)} events acknowledged, {len(lost)} of them lost")
    assert not report.dropped
    assert report.refused < report.requests / 100, "a cluster that refuses most requests proves nothing"
    assert acknowledged
    assert not lost
