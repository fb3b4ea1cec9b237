"""What Kubeflow never deletes: what may go, and what must stay."""

import sys
from dataclasses import replace
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
from tests.pipelines.kubeflow.fake_kfp import FakeKfp, RefusedError

pytestmark = pytest.mark.slow(seconds=10)

NOW = datetime.now(UTC)
OLD, YOUNG = ((NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for days in (300, 1))
UNUSED, SCHEDULED, WORKING, KEPT, NEWEST = (f"training-{digit * 12}" for digit in "abcde")
FIRST, SECOND = "7d0f5a6e-8c3b-4f6e-9a53-2f6f5c1f0a01", "7d0f5a6e-8c3b-4f6e-9a53-2f6f5c1f0a02"


@pytest.fixture
def kfp(kfp_host: FakeKfp) -> FakeKfp:
    """A KFP with an old and a young thing of each kind, ours and others'."""
    ours = kfp_host.add("pipelines", "pipeline_id", {"name": "training", "display_name": "training"})["pipeline_id"]
    other = kfp_host.add("pipelines", "pipeline_id", {"name": "x", "display_name": "x"})["pipeline_id"]
    for name, pipeline, created in (
        (UNUSED, ours, OLD),
        (SCHEDULED, ours, OLD),
        (WORKING, ours, OLD),
        (KEPT, ours, OLD),
        (NEWEST, ours, YOUNG),
        ("their-version", ours, OLD),
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
    add_run(kfp_host, "of others", other, version="v7", storage_state="ARCHIVED")
    add_run(kfp_host, "of their training", ours, "s3://bucket/gone", version="v6", storage_state="ARCHIVED")
    names = {"pipeline_version_reference": {"pipeline_id": ours, "pipeline_version_id": "v2"}}
    kfp_host.add("recurringruns", "recurring_run_id", names)
    return kfp_host


def add_run(
    kfp: FakeKfp, name: str, pipeline: str, home: str = "s3://bucket/shop", version: str = "v5", **fields: Any
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
    rules = Rules(timedelta(days=90), frozenset({"s3://bucket/gone"}), frozenset({KEPT}))
    assert [(one.name, one.reason) for one in removals(inventory, rules, NOW)] == [
        ("archived, old", "archived"),
        ("of the old home", "of the old home s3://bucket/gone"),
        (UNUSED, "no run and no schedule names it"),
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


def test_housekeeping_goes_on_when_the_server_is_back(
    kfp: FakeKfp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusals = {method: iter([RefusedError(503, "away")] * 2) for method in ("GET", "DELETE")}

    def refuse(method: str, path: str) -> RefusedError | None:
        return None if path.endswith("healthz") else next(refusals[method], None)

    kfp.refusal = refuse
    monkeypatch.setattr("pipelines.kubeflow.patience.PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(sys, "argv", ["rankloop", "housekeeping", "--host", kfp.url, "--days", "30", "--apply"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert capsys.readouterr().err.count("Kubeflow Pipelines is away (503 Service Unavailable)") == 2


def test_an_empty_home_is_refused_and_deletes_no_run_without_one(
    kfp: FakeKfp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = len(kfp.tables["runs"])
    monkeypatch.setattr(sys, "argv", ["rankloop", "housekeeping", "--host", kfp.url, "--old-home", "", "--apply"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "found no URL, expected that of a home" in capsys.readouterr().err
    assert len(kfp.tables["runs"]) == runs


def test_artifacts_of_old_runs_go_and_those_of_others_stay(bucket: BucketPath) -> None:
    root, store = bucket / "v2" / "artifacts", store_of(bucket)
    third = FIRST.replace("01", "03")
    for key in (f"training/{FIRST}/step/a", f"training/{FIRST}/step/b", f"training/{SECOND}/step/a", f"x/{FIRST}/a"):
        obstore.put(store, (root / key).key, b"{}")
    obstore.put(store, (root / f"monitoring/{third}/step/a").key, b"{}")
    inventory, later = Inventory([Run(SECOND, "RUNNING")], [], [], frozenset({third})), NOW + timedelta(days=2)
    rules = Rules(timedelta(days=1), pipeline_root=root)
    (removal,) = artifact_removals(inventory, rules, later)
    assert (removal.kind, removal.id, removal.name) == ("artifacts", FIRST, "2 objects")
    assert artifact_removals(inventory, rules, NOW) == list[Removal]()


def test_folders_below_the_root_that_are_no_runs_of_kfp_stay(bucket: BucketPath) -> None:
    store, rules = store_of(bucket), Rules(timedelta(days=1), pipeline_root=bucket)
    for key in ("training/shop/purchases.csv", f"home/training/{FIRST}/a", "monitoring/2026-01/a", f"training/{FIRST}"):
        obstore.put(store, (bucket / key).key, b"{}")
    below = replace(rules, pipeline_root=bucket / "training")
    for one in (rules, below):
        assert artifact_removals(Inventory([], [], []), one, NOW + timedelta(days=2)) == list[Removal]()


class Run:
    """A run, as far as its artifacts are concerned."""

    def __init__(self, run_id: str, state: str) -> None:
        self.run_id, self.state = run_id, state
