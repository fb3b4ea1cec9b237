"""What Kubeflow never deletes: what may go, and what must stay."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import obstore
import pytest

from components.home.storage.bucket import store_of
from components.home.storage.locations import BucketPath
from pipelines.cli import main
from pipelines.kubeflow.access import Access
from pipelines.kubeflow.client import open_client, translated_errors
from pipelines.kubeflow.housekeeping import Inventory, Removal, Rules, artifact_removals, read_inventory, removals
from tests.pipelines.kubeflow.fake_kfp import FakeKfp

pytestmark = pytest.mark.slow(seconds=10)

NOW = datetime(2026, 11, 30, tzinfo=UTC)
OLD, YOUNG = "2026-01-01T00:00:00Z", "2026-11-29T00:00:00Z"


@pytest.fixture
def kfp(kfp_host: FakeKfp) -> FakeKfp:
    """A KFP with an old and a young thing of each kind, ours and others'."""
    ours = kfp_host.add("pipelines", "pipeline_id", {"name": "training", "display_name": "training"})["pipeline_id"]
    other = kfp_host.add("pipelines", "pipeline_id", {"name": "x", "display_name": "x"})["pipeline_id"]
    for name, pipeline, created in (
        ("training-unused", ours, OLD),
        ("training-scheduled", ours, OLD),
        ("training-working", ours, OLD),
        ("training-kept", ours, OLD),
        ("training-newest", ours, YOUNG),
        ("x-unused", other, OLD),
        ("x-newest", other, YOUNG),
    ):
        version = {"name": name, "display_name": name, "pipeline_id": pipeline, "created_at": created}
        kfp_host.add("versions", "pipeline_version_id", version)
    add_run(kfp_host, "archived, old", ours, storage_state="ARCHIVED")
    add_run(kfp_host, "archived, young", ours, storage_state="ARCHIVED", finished_at=YOUNG)
    add_run(kfp_host, "not archived", ours)
    add_run(kfp_host, "of the old home", ours, "s3://bucket/gone", finished_at=YOUNG)
    add_run(kfp_host, "at work", ours, "s3://bucket/gone", state="RUNNING", version="v3")
    add_run(kfp_host, "of others", other, storage_state="ARCHIVED")
    names = {"pipeline_version_reference": {"pipeline_id": ours, "pipeline_version_id": "v2"}}
    kfp_host.add("recurringruns", "recurring_run_id", names)
    return kfp_host


def add_run(
    kfp: FakeKfp, name: str, pipeline: str, home: str = "s3://bucket/shop", version: str = "v9", **fields: Any
) -> None:
    run = {
        "display_name": name,
        "pipeline_version_reference": {"pipeline_id": pipeline, "pipeline_version_id": version},
        "runtime_config": {"parameters": {"home": home}},
        "state": "SUCCEEDED",
        "storage_state": "AVAILABLE",
        "finished_at": OLD,
    }
    kfp.add("runs", "run_id", run | fields)


def test_only_what_is_old_ours_and_unused_may_go(kfp: FakeKfp) -> None:
    with translated_errors(kfp.url):
        inventory = read_inventory(open_client(Access(host=kfp.url)), None)
    rules = Rules(timedelta(days=90), frozenset({"s3://bucket/gone"}), frozenset({"training-kept"}))
    assert [(one.name, one.reason) for one in removals(inventory, rules, NOW)] == [
        ("archived, old", "archived"),
        ("of the old home", "of the old home s3://bucket/gone"),
        ("training-unused", "no schedule names it"),
    ]


def test_nothing_is_deleted_unless_it_is_applied(
    kfp: FakeKfp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {name: len(table) for name, table in kfp.tables.items()}

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["rankloop", "housekeeping", "--host", kfp.url, *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr().out

    assert "would go; --apply deletes them" in run("--days", "30")
    assert {name: len(table) for name, table in kfp.tables.items()} == before
    assert "deleted" in run("--days", "30", "--apply")
    assert "archived, old" not in {one["display_name"] for one in kfp.tables["runs"].values()}
    assert len(kfp.tables["runs"]) == before["runs"] - 1
    assert "0 would go" in run("--days", "30")


def test_artifacts_of_old_runs_go_and_those_of_others_stay(bucket: BucketPath) -> None:
    root, store = bucket / "v2" / "artifacts", store_of(bucket)
    for key in ("training/run-1/step/a", "training/run-1/step/b", "training/run-2/step/a", "x/run-3/step/a"):
        obstore.put(store, (root / key).key, b"{}")
    working = Run("run-2", "RUNNING")
    inventory, later = Inventory([working], [], []), datetime.now(UTC) + timedelta(days=2)
    rules = Rules(timedelta(days=1), pipeline_root=root)
    (removal,) = artifact_removals(inventory, rules, later)
    assert (removal.kind, removal.id, removal.name) == ("artifacts", "run-1", "2 objects")
    assert artifact_removals(inventory, rules, datetime.now(UTC)) == list[Removal]()


class Run:
    """A run, as far as its artifacts are concerned."""

    def __init__(self, run_id: str, state: str) -> None:
        self.run_id, self.state = run_id, state
