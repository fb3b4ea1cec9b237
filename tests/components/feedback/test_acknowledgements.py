"""A process that serves uses the tombstones that it knew if their file is damaged or lost, and says so once."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.feedback import acknowledgements
from components.feedback.acknowledgements import TombstoneAcknowledger, await_acknowledgements
from components.home import tombstones
from components.home.layout import Home
from components.home.storage.locations import BucketPath
from components.home.tombstones import TombstoneView, add_tombstone
from tests.components.contracts.spoiling import SPOILING, tear
from tests.components.feedback.rows import nothing_is_held


def follow(process: TombstoneAcknowledger) -> None:
    process.follow(nothing_is_held)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path)
    add_tombstone(found.tombstones, "ann")
    return found


@pytest.mark.parametrize("spoil", SPOILING)
def test_what_was_known_stays_and_is_said_once(
    home: Home, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    shared = TombstoneView(home.tombstones)
    process, content = TombstoneAcknowledger(home, shared), home.tombstones.read_bytes()
    for _ in range(2):
        caplog.clear()
        spoil(home.tombstones)
        for _ in range(3):
            follow(process)
            assert "ann" in shared
            assert "bob" not in shared
        assert caplog.text.count("until then who was known to be forgotten stays so") == 1

        home.tombstones.unlink(missing_ok=True)
        home.tombstones.write_bytes(content)
        follow(process)
    add_tombstone(home.tombstones, "bob")
    follow(process)
    assert "bob" in shared
    process.close()


def test_a_process_does_not_say_that_it_has_acted_on_what_it_could_not_read(home: Home) -> None:
    process = TombstoneAcknowledger(home, TombstoneView(home.tombstones))
    assert await_acknowledgements(home, 0.0) == (1, 0)
    tear(home.tombstones)
    follow(process)
    assert await_acknowledgements(home, 0.0) == (0, 1)
    process.close()


def test_a_note_that_cannot_be_read_is_of_a_process_that_has_not_acted(home: Home) -> None:
    process = TombstoneAcknowledger(home, TombstoneView(home.tombstones))
    process.note.unlink()
    process.note.mkdir()
    assert await_acknowledgements(home, 0.0) == (0, 1)
    process.note.rmdir()
    process.close()


def test_what_a_process_knew_ends_with_it(home: Home) -> None:
    known = TombstoneView(home.tombstones)
    home.tombstones.unlink()
    process = TombstoneAcknowledger(home, known)
    follow(process)
    assert "ann" in known
    process.close()
    assert "ann" not in TombstoneView(home.tombstones)


def test_a_file_that_is_broken_from_the_start_is_one_clear_error(home: Home) -> None:
    tear(home.tombstones)
    with pytest.raises(ConfigurationError, match="expected the key and hashes"):
        TombstoneView(home.tombstones)


def test_processes_of_one_bucket_are_waited_for_until_they_are_gone(
    bucket: BucketPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, write = Home(bucket), Future[None]()
    assert await_acknowledgements(home, 0.0) == (0, 0)
    monkeypatch.setattr(tombstones, "LOOK_SECONDS", 0.0)
    view = TombstoneView(home.tombstones)
    one, other = TombstoneAcknowledger(home, view), TombstoneAcknowledger(home, TombstoneView(home.tombstones))
    assert await_acknowledgements(home, 0.0) == (2, 0)
    add_tombstone(home.tombstones, "ann")
    for _ in range(2):
        one.follow(lambda: write)
        follow(other)
    assert "ann" in view
    assert await_acknowledgements(home, 0.0) == (1, 1)
    write.set_result(None)
    one.follow(lambda: write)
    assert await_acknowledgements(home, 0.0) == (2, 0)
    other.close()
    assert await_acknowledgements(home, 0.0) == (1, 0)
    monkeypatch.setattr(acknowledgements, "EXPIRY_SECONDS", -1.0)  # as if the process had not renewed its note since
    assert await_acknowledgements(home, 0.0) == (0, 0)
    monkeypatch.setattr(acknowledgements, "RENEW_SECONDS", 0.0)
    monkeypatch.setattr(acknowledgements, "EXPIRY_SECONDS", 90.0)
    one.follow(lambda: write)
    assert await_acknowledgements(home, 0.0) == (0, 1), "its note is there again"
    monkeypatch.setattr(acknowledgements, "RENEW_SECONDS", 20.0)
    one.follow(lambda: write)
    assert await_acknowledgements(home, 0.0) == (1, 0)
