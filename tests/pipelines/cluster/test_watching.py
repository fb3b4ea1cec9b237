"""What the reverter says of a cluster that it cannot watch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.gitops import settings as names
from pipelines.cluster.watching import Watching
from tests.pipelines.cluster.fake_api import FakeApi
from tests.servers import answering

PATH = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts"
VARIABLES = {names.URL: "https://git.test/shop/deploy.git", names.FORGE: "none"}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    with answering(FakeApi()) as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield server


def said_of(**variables: str) -> list[str]:
    """Return what two looks say."""
    said: list[str] = []
    watching = Watching("production", "shop", VARIABLES | variables, said.append, lambda _: None)
    for _ in range(2):
        watching.tick()
    return said


def test_a_cluster_without_rollouts_is_one_line(api: FakeApi) -> None:
    assert said_of() == ["the cluster knows no Rollouts; install Argo Rollouts 1.8 or newer"]


def test_a_cluster_that_cannot_be_reached_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(FakeApi()) as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    [said] = said_of()
    assert f"{server.url} cannot be reached" in said


def test_a_wrong_setting_is_one_line(api: FakeApi) -> None:
    api.documents[PATH] = {"items": [], "metadata": {"resourceVersion": "7"}}
    assert said_of() == ["there is no Rollout in the namespace shop yet"]
    assert said_of(**{names.RETRY_MINUTES: "soon"}) == [
        "RANKLOOP_GIT_RETRY_MINUTES: found 'soon', expected minutes, such as 30, or 0 for no other try"
    ]
    assert said_of(**{names.MERGE_REVERTS: "perhaps"}) == [
        "RANKLOOP_GIT_MERGE_REVERTS: found 'perhaps', expected yes or no"
    ]


def test_another_trouble_is_another_line(api: FakeApi) -> None:
    said: list[str] = []
    watching = Watching("production", "shop", VARIABLES, said.append, lambda _: None)
    watching.tick()
    api.refusals["rollouts"] = (403, "rollouts.argoproj.io is forbidden")
    watching.tick()
    watching.tick()
    assert said[1:] == ["rollouts.argoproj.io is forbidden"]
