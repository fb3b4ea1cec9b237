"""A service that was stopped between its look at the tombstones and its write brings nobody back who was forgotten."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from components.erasure.forgetting import forget_user
from components.erasure.search import holds
from components.feedback import acknowledgements
from components.feedback.reading import served_events, served_lists
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.segments.segment import list_segments
from components.home.data_subject import DataSubject
from components.home.layout import Home
from components.home.shop_note import ShopNote, write_shop_note
from components.home.storage.documents import names_below
from components.home.storage.locations import BucketPath
from components.home.storage.scratch import uncached_file
from components.ingest_events.ingestion import ingest_events
from components.lake.tables import open_table
from tests.components.feedback.rows import LOGGED
from tests.shop_files import shop_folder


def lines_of(home: Home) -> bytes:
    layout = FeedbackLayout(home.feedback)
    return b"".join(segment.lines() for folder in (layout.lists, layout.events) for segment in list_segments(folder))


def users_of(home: Home) -> set[str]:
    """Return the users of all lists and events that readers take."""
    return {user for rows in (served_lists(home), served_events(home)) for user in rows["user_id"].to_pylist()}


def held_by(home: Home, person: DataSubject) -> list[str]:
    """Return the objects of a home that hold a user."""
    found = []
    for name in names_below(home.root):
        with uncached_file(home.root / name) as path:
            found += [name] if holds(path, person) else []
    return found


@contextmanager
def stopped(process: "subprocess.Popen[str]") -> Iterator[None]:
    """Stop a process while the block runs."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


@pytest.mark.parametrize("kind", ["lists", "events"])
def test_what_a_stopped_service_writes_after_an_erasure_is_read_by_nobody_and_goes(
    kind: str, bucket: BucketPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, shop = Home(bucket), shop_folder(tmp_path, purchases="customer,article,bought_at\nbob,a,2017-08-01 10:00:00")
    write_shop_note(home, ShopNote("corner_shop", str(shop.folder / "shop.toml")))
    monkeypatch.setenv("RANKLOOP_ONLINE_URL", f"lmdb://{tmp_path / 'online'}")
    monkeypatch.setattr(acknowledgements, "EXPIRY_SECONDS", -1.0)  # as if the service had stood for long
    module = "tests.components.feedback.processes.stopped_writer"
    command = [sys.executable, "-m", module, bucket.bucket, bucket.key, kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "checked\n"
        with stopped(service):
            assert forget_user(home, "ann", shop.said.append, shop.folder / "shop.toml").state == "done"
        service.communicate("\n" * 9)
    assert lines_of(home).count(b'"ann"') == 1, "it wrote her line"
    assert users_of(home) == {"bob"}

    ingest_events(shop.shop(), home, LOGGED + timedelta(days=1), shop.said.append)

    assert held_by(home, DataSubject("ann")) == []
    assert users_of(home) == {"bob"}
    raw = open_table(home.raw / "events")
    assert raw is not None
    assert set(raw.to_pyarrow_table()["user_id"].to_pylist()) == {"bob"}
