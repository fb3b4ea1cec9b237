"""A service that was stopped between its look at the tombstones and its write brings nobody back who was forgotten."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.erasure.forgetting import forget_user
from components.erasure.search import holds
from components.feedback import acknowledgements
from components.feedback.layout import FeedbackLayout
from components.feedback.reading import served_events, served_lists
from components.feedback.segments import list_segments
from components.home.data_subject import Person
from components.home.layout import Home
from components.home.shop_note import ShopNote, write_shop_note
from components.home.storage.documents import names_below
from components.home.storage.locations import BucketPath
from components.home.storage.scratch import uncached_file
from components.ingest_events.ingestion import ingest_events
from components.lake.tables import open_table
from tests.shop_files import NOW, shop_folder


def lines_of(home: Home) -> bytes:
    layout = FeedbackLayout(home.feedback)
    return b"".join(segment.lines() for folder in (layout.lists, layout.events) for segment in list_segments(folder))


def held_by(home: Home, person: Person) -> list[str]:
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


def test_what_a_stopped_service_writes_after_an_erasure_is_read_by_nobody_and_goes(
    bucket: BucketPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, shop = Home(bucket), shop_folder(tmp_path, purchases="customer,article,bought_at\nbob,a,2017-08-01 10:00:00")
    write_shop_note(home, ShopNote("corner_shop", str(shop.folder / "shop.toml")))
    monkeypatch.setenv("RANKLOOP_ONLINE_URL", f"lmdb://{tmp_path / 'online'}")
    monkeypatch.setattr(acknowledgements, "EXPIRY_SECONDS", -1.0)  # as if the service had stood for long
    command = [sys.executable, "-m", "tests.components.feedback.processes.stopped_writer", bucket.bucket, bucket.key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdin is not None
        assert service.stdout is not None
        assert service.stdout.readline() == "checked\n"
        with stopped(service):
            assert forget_user(home, "ann", shop.said.append, shop.folder / "shop.toml").state == "done"
        assert b"ann" not in lines_of(home)
        service.communicate("\n\n")
    assert lines_of(home).count(b"ann") == 2, "it wrote them"

    assert served_events(home)["event_id"].to_pylist() == ["e2"]
    assert served_lists(home)["request_id"].to_pylist() == []
    ingest_events(shop.shop(), home, NOW, shop.said.append)

    assert held_by(home, Person("ann")) == []
    raw = open_table(home.raw / "events")
    assert raw is not None
    assert raw.to_pyarrow_table(columns=["user_id", "event_type"]).num_rows == 2, "bob's purchase and bob's click"
    assert served_events(home)["event_id"].to_pylist() == ["e2"]
