"""The service's clock goes on from where the home stands, and back only where the home's owner sets it back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.ranking_service.live.clocks import ServiceClock

WALL = datetime(2026, 5, 1, 12, tzinfo=UTC)
PAST = datetime(2017, 8, 28, tzinfo=UTC)
HOUR = timedelta(hours=1)
YEARS = timedelta(days=3000)
LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)


class Machine:
    """A machine whose time passes, and whose clock jumps, as a test says."""

    def __init__(self) -> None:
        self.now = WALL
        self.seconds = 5000.0

    def wall(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.seconds

    def passes(self, time: timedelta) -> None:
        self.now += time
        self.seconds += time.total_seconds()

    def clock(self, folder: Path, as_of: datetime = PAST, anchored_at: datetime | None = None) -> ServiceClock:
        """Open a folder's clock, as a service that starts now."""
        return ServiceClock(folder, as_of, anchored_at, self.wall, self.monotonic)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_home_of_the_past_counts_on_over_restarts(tmp_path: Path, machine: Machine) -> None:
    assert machine.clock(tmp_path)() == PAST
    machine.passes(2 * HOUR)
    clock = machine.clock(tmp_path)
    machine.passes(HOUR)
    assert clock() == PAST + 3 * HOUR


def test_an_as_of_moves_it_on_but_never_back(tmp_path: Path, machine: Machine) -> None:
    clock = machine.clock(tmp_path)
    machine.passes(5 * HOUR)
    clock.advance(PAST + HOUR)
    assert clock() == PAST + 5 * HOUR
    clock.advance(PAST + 30 * HOUR)
    machine.passes(HOUR)
    assert clock() == PAST + 31 * HOUR
    assert machine.clock(tmp_path)() == PAST + 31 * HOUR


def test_it_follows_a_home_that_was_set_back_once(tmp_path: Path, machine: Machine) -> None:
    clock = machine.clock(tmp_path, PAST + YEARS)
    clock.go_back(PAST, back_from=PAST + YEARS)
    machine.passes(HOUR)
    clock.go_back(PAST, back_from=PAST + YEARS)
    assert clock() == machine.clock(tmp_path)() == PAST + HOUR


def test_a_jump_of_the_machines_clock_changes_nothing(tmp_path: Path, machine: Machine) -> None:
    clock = machine.clock(tmp_path)
    machine.passes(2 * HOUR)
    for jump in (YEARS, -YEARS, -HOUR, HOUR):
        machine.now += jump
        clock.follow()
        clock.advance(PAST, WALL)
        clock.keep()
        assert clock() == PAST + 2 * HOUR
    machine.passes(HOUR)
    assert clock() == PAST + 3 * HOUR
    assert machine.clock(tmp_path)() == PAST + 3 * HOUR


def test_a_machines_clock_that_stays_ahead_is_followed(
    tmp_path: Path, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    clock = machine.clock(tmp_path, WALL - 20 * HOUR)
    machine.now += 8 * HOUR  # the machine slept
    clock.follow()
    assert clock() == machine.now - 8 * HOUR
    for _ in range(7):
        machine.passes(timedelta(seconds=10))
        clock.follow()
    assert clock() == machine.now
    assert caplog.text.count("went forward") == 1


def test_jumps_that_come_and_go_are_not_followed(tmp_path: Path, machine: Machine) -> None:
    clock = machine.clock(tmp_path, WALL - 20 * HOUR)
    for _ in range(10):
        machine.now += YEARS
        clock.follow()
        machine.passes(timedelta(seconds=50))
        machine.now -= YEARS
        clock.follow()
    assert clock() == machine.now


def test_after_a_restart_it_stands_while_the_machines_clock_is_set_back(tmp_path: Path, machine: Machine) -> None:
    clock = machine.clock(tmp_path)
    machine.passes(2 * HOUR)
    clock.keep()
    machine.now -= HOUR
    restarted = machine.clock(tmp_path)
    assert restarted() == PAST + 2 * HOUR
    machine.passes(HOUR / 2)
    assert restarted() == PAST + 2 * HOUR
    machine.passes(HOUR)
    assert restarted() == PAST + 2.5 * HOUR


def test_a_living_home_recovers_from_a_start_while_the_machines_clock_was_wrong(
    tmp_path: Path, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.clock(tmp_path, WALL - 20 * HOUR).keep()
    machine.now += YEARS
    wrong = machine.clock(tmp_path, WALL - 20 * HOUR)
    wrong.keep()
    assert wrong() == WALL + YEARS
    assert not caplog.text
    machine.now -= YEARS
    clock = machine.clock(tmp_path, LONG_AGO)
    assert clock() == WALL + YEARS, "nobody knows yet whether the home lives"
    assert "expected neither to be ahead" in caplog.text
    clock.advance(WALL - 20 * HOUR)
    machine.passes(HOUR)
    assert clock() == WALL + HOUR
    assert "goes back" in caplog.text
    assert machine.clock(tmp_path, WALL - 20 * HOUR)() == WALL + HOUR


def test_a_kept_clock_stands_while_the_machines_clock_is_the_wrong_one(tmp_path: Path, machine: Machine) -> None:
    machine.clock(tmp_path, WALL - 20 * HOUR).keep()
    machine.now -= YEARS
    clock = machine.clock(tmp_path, WALL - 20 * HOUR)
    assert clock() == WALL
    machine.now += YEARS
    for _ in range(7):
        machine.passes(timedelta(seconds=10))
        clock.follow()
    assert clock() == machine.now


def test_it_goes_on_while_the_disk_refuses_and_is_written_down_afterwards(
    tmp_path: Path, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "feedback"
    clock = machine.clock(folder)
    folder.rename(tmp_path / "aside")
    folder.write_text("no folder")
    clock.advance(PAST + HOUR)
    clock.follow()
    assert clock() == PAST + HOUR
    assert caplog.text.count("cannot be written") == 1
    with pytest.raises(ConfigurationError, match="cannot be read"):
        machine.clock(folder)
    folder.unlink()
    folder.mkdir()
    machine.passes(HOUR)
    clock.follow()
    assert machine.clock(folder)() == PAST + 2 * HOUR


def test_a_living_home_has_the_machines_time(tmp_path: Path, machine: Machine) -> None:
    assert machine.clock(tmp_path, WALL - 20 * HOUR)() == WALL
    machine.passes(400 * 24 * HOUR)
    assert machine.clock(tmp_path, WALL - 20 * HOUR)() == machine.now


def test_an_anchored_home_counts_from_its_anchor(tmp_path: Path, machine: Machine) -> None:
    assert machine.clock(tmp_path, PAST, WALL - HOUR)() == PAST + HOUR


ZONELESS = '{"as_of": "2017-08-28T00:00:00", "anchored_at": "2026-05-01T12:00:00"}'


@pytest.mark.parametrize("content", ["[]", ZONELESS])
def test_a_file_that_is_no_clock_is_refused(tmp_path: Path, machine: Machine, content: str) -> None:
    (tmp_path / "clock.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"clock\.json"):
        machine.clock(tmp_path)


def test_moving_on_while_somebody_asks_counts_no_time_twice(tmp_path: Path) -> None:
    clock: ServiceClock

    class Interrupted(Machine):
        """A machine that is asked for its time just before the home moves on."""

        moves_on = False

        def monotonic(self) -> float:
            found = super().monotonic()
            if self.moves_on:
                self.moves_on = False
                clock.advance(PAST + 1001 * HOUR)
            return found

    machine = Interrupted()
    clock = machine.clock(tmp_path)
    machine.passes(1000 * HOUR)
    machine.moves_on = True
    assert clock() == PAST + 1000 * HOUR
    assert clock() == PAST + 1001 * HOUR
