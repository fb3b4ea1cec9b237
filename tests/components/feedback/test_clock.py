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


def test_a_living_home_has_the_machines_time(tmp_path: Path, wall: Wall) -> None:
    assert ServiceClock(tmp_path, WALL - 20 * HOUR, wall=wall)() == WALL
    wall.now += 400 * 24 * HOUR
    assert ServiceClock(tmp_path, WALL - 20 * HOUR, wall=wall)() == wall.now


def test_an_anchored_home_counts_from_its_anchor(tmp_path: Path, wall: Wall) -> None:
    assert ServiceClock(tmp_path, PAST, WALL - HOUR, wall=wall)() == PAST + HOUR


def test_a_file_that_is_no_clock_is_refused(tmp_path: Path, wall: Wall) -> None:
    (tmp_path / "clock.json").write_text("[]")
    with pytest.raises(ConfigurationError, match=r"clock\.json"):
        ServiceClock(tmp_path, PAST, wall=wall)
