"""The service's clock goes on from where the home stands, and never back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.feedback.clock import ServiceClock

WALL = datetime(2026, 5, 1, 12, tzinfo=UTC)
PAST = datetime(2017, 8, 28, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Wall:
    """A machine's time that a test sets."""

    def __init__(self) -> None:
        self.now = WALL

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


def test_a_home_of_the_past_counts_on_over_restarts(tmp_path: Path, wall: Wall) -> None:
    assert ServiceClock(tmp_path, PAST, wall=wall)() == PAST
    wall.now += 2 * HOUR
    clock = ServiceClock(tmp_path, PAST, wall=wall)
    wall.now += HOUR
    assert clock() == PAST + 3 * HOUR


def test_an_as_of_moves_it_on_but_never_back(tmp_path: Path, wall: Wall) -> None:
    clock = ServiceClock(tmp_path, PAST, wall=wall)
    wall.now += 5 * HOUR
    clock.advance(PAST + HOUR)
    assert clock() == PAST + 5 * HOUR
    clock.advance(PAST + 30 * HOUR)
    wall.now += HOUR
    assert clock() == PAST + 31 * HOUR
    assert ServiceClock(tmp_path, PAST, wall=wall)() == PAST + 31 * HOUR


def test_it_stands_while_the_machines_clock_is_set_back(tmp_path: Path, wall: Wall) -> None:
    clock = ServiceClock(tmp_path, PAST, wall=wall)
    wall.now += 2 * HOUR
    assert clock() == PAST + 2 * HOUR
    wall.now -= HOUR
    assert clock() == PAST + 2 * HOUR
    clock.keep()
    assert ServiceClock(tmp_path, PAST, wall=wall)() == PAST + 2 * HOUR


def test_it_goes_on_while_the_disk_refuses_and_is_written_down_afterwards(
    tmp_path: Path, wall: Wall, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "feedback"
    clock = ServiceClock(folder, PAST, wall=wall)
    folder.rename(tmp_path / "aside")
    folder.write_text("no folder")
    clock.advance(PAST + HOUR)
    clock.follow()
    assert clock() == PAST + HOUR
    assert caplog.text.count("cannot be written") == 1
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ServiceClock(folder, PAST, wall=wall)
    folder.unlink()
    wall.now += HOUR
    clock.follow()
    assert ServiceClock(folder, PAST, wall=wall)() == PAST + 2 * HOUR


def test_a_living_home_has_the_machines_time(tmp_path: Path, wall: Wall) -> None:
    assert ServiceClock(tmp_path, WALL - 20 * HOUR, wall=wall)() == WALL
    wall.now += 400 * 24 * HOUR
    assert ServiceClock(tmp_path, WALL - 20 * HOUR, wall=wall)() == wall.now


def test_an_anchored_home_counts_from_its_anchor(tmp_path: Path, wall: Wall) -> None:
    assert ServiceClock(tmp_path, PAST, WALL - HOUR, wall=wall)() == PAST + HOUR


ZONELESS = '{"as_of": "2017-08-28T00:00:00", "anchored_at": "2026-05-01T12:00:00"}'


@pytest.mark.parametrize("content", ["[]", ZONELESS])
def test_a_file_that_is_no_clock_is_refused(tmp_path: Path, wall: Wall, content: str) -> None:
    (tmp_path / "clock.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"clock\.json"):
        ServiceClock(tmp_path, PAST, wall=wall)


def test_moving_on_while_somebody_asks_counts_no_time_twice(tmp_path: Path) -> None:
    clock: ServiceClock

    class Interrupted(datetime):
        """A machine's time of which something is taken just before the home moves on."""

        def __sub__(self, other: datetime) -> timedelta:  # type: ignore[override]
            found = datetime.__sub__(self, other)
            machine.now = WALL + 1000 * HOUR
            clock.advance(PAST + 1001 * HOUR)
            return found

    machine = Wall()
    clock = ServiceClock(tmp_path, PAST, wall=machine)
    machine.now = Interrupted.fromtimestamp((WALL + 1000 * HOUR).timestamp(), UTC)
    assert clock() == PAST + 1000 * HOUR
    assert clock() == PAST + 1001 * HOUR
