"""What stands under a name was on the disk before it got the name, so that a power cut leaves nothing half-written."""

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from components.features.snapshots.pool import write_snapshot
from components.home.layout import Home
from components.home.runs.records import RunRecord, save_run
from components.home.runs.step_records import StepRecord
from tests.components.features.snapshots.feature_sets import MONDAY, a_set, snapshot


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
    target = tmp_path / "r1" / "view" / "a.parquet"

    assert synced_before(monkeypatch, target, lambda: write_snapshot(tmp_path, "r1/view/a.parquet", rows)) == []


def test_the_manifest_of_a_feature_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {MONDAY: snapshot(tmp_path / "first", "a", "1")}
    snapshot(tmp_path, "a", "1")
    manifest = tmp_path / "sets" / a_set(tmp_path / "first", 1, files).manifest.name

    assert synced_before(monkeypatch, manifest, lambda: a_set(tmp_path, 1, files)) == []


def test_a_run_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    run = RunRecord("r1", "training", "shop", "shop.toml", None)

    assert synced_before(monkeypatch, home.run("r1") / "run.json", lambda: save_run(home, run)) == []


def test_the_record_of_a_step_that_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Home(tmp_path / "home").run("r1")
    ended = StepRecord("ingest_events", state="done")
    assert synced_before(monkeypatch, run / "steps" / "ingest_events.json", lambda: ended.save(run)) == []
