"""What stands under a name was on the disk before it got the name, so that a power cut leaves nothing half-written."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from components.features.snapshots.pool import write_snapshot
from components.features.snapshots.sets import FeatureSet, write_set
from components.home.layout import Home
from components.home.runs import RunRecord, save_run
from components.home.step_records import Step
from tests.components.features.frames import PLAIN
from tests.shop_files import shop_folder

MONDAY = datetime(2024, 1, 8, tzinfo=UTC)


def synced_before(monkeypatch: pytest.MonkeyPatch, target: Path, write: Callable[[], object]) -> list[Path]:
    """The files below a target, or itself, that had not reached the disk when it got its name."""
    synced: set[int] = set()
    to_disk = os.fsync

    def note(descriptor: int) -> None:
        if not target.exists():
            synced.add(os.fstat(descriptor).st_ino)
        to_disk(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write()
    written = [path for path in (target, *target.rglob("*")) if path.is_file()]
    assert written
    return [path for path in written if path.stat().st_ino not in synced]


def test_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pa.table({"event_timestamp": [MONDAY]})

    assert (
        synced_before(monkeypatch, tmp_path / "a.parquet", lambda: write_snapshot(tmp_path / "a.parquet", rows)) == []
    )


def test_a_feature_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = FeatureSet(Path(), "shop", "rev", PLAIN, 60, 7, MONDAY, (MONDAY,), {"events": 1})
    (tmp_path / "snapshot.parquet").write_bytes(b"rows")
    snapshots = {(view, MONDAY): tmp_path / "snapshot.parquet" for view in ("user_features", "item_features")}
    digest = write_set(tmp_path / "first", described, snapshots).digest

    folder = tmp_path / "sets" / digest
    assert synced_before(monkeypatch, folder, lambda: write_set(folder.parent, described, snapshots)) == []


def test_a_run_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    run = RunRecord("r1", "training", "shop", "shop.toml", None)

    assert synced_before(monkeypatch, home.run("r1") / "run.json", lambda: save_run(home, run)) == []


def test_the_record_of_a_step_that_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop_folder(tmp_path)
    step = Step("ingest_events", str(tmp_path / "shop.toml"), str(tmp_path / "home"), "r1")
    step.record.state = "done"

    record = Home(tmp_path / "home").run("r1") / "steps" / "ingest_events.json"
    assert synced_before(monkeypatch, record, step.save) == []
