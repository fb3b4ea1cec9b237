"""The service's clock goes on from where the home stands, and back only where the home's owner sets it back."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.home.storage.locations import BucketPath, Location
from components.ranking_service.live.clocks import KEEP_SECONDS, LOOK_SECONDS, ServiceClock

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

    def clock(self, feedback: Location, as_of: datetime = PAST, anchored_at: datetime | None = None) -> ServiceClock:
        """Open a home's clock, as a service that starts now."""
        return ServiceClock(feedback, as_of, anchored_at, self.wall, self.monotonic)


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


LOOK = timedelta(seconds=LOOK_SECONDS)


def test_services_agree_on_where_the_home_stands(location: Location, machine: Machine) -> None:
    one, other = machine.clock(location), machine.clock(location)
    machine.passes(HOUR)
    one.advance(PAST + 10 * HOUR)
    assert other() == PAST + HOUR
    machine.passes(LOOK)
    other.follow()
    assert one() == other() == PAST + 10 * HOUR + LOOK
    other.advance(PAST + 2 * HOUR)
    assert machine.clock(location)() == other() == PAST + 10 * HOUR + LOOK


def test_no_service_undoes_that_another_went_back(location: Location, machine: Machine) -> None:
    one, other = machine.clock(location, PAST + YEARS), machine.clock(location, PAST + YEARS)
    one.go_back(PAST, back_from=PAST + YEARS)
    other.keep()
    assert one() == other() == machine.clock(location)() == PAST
    other.go_back(PAST, back_from=PAST + YEARS)
    machine.passes(LOOK)
    one.follow()
    assert one() == other() == PAST + LOOK


def test_no_service_falls_behind_another_on_a_machine_whose_clock_is_ahead(
    bucket: BucketPath, machine: Machine
) -> None:
    ahead = Machine()
    ahead.now += HOUR
    behind_others, ahead_of_others = machine.clock(bucket), ahead.clock(bucket)
    assert (behind_others(), ahead_of_others()) == (PAST, PAST + HOUR)
    for each in (ahead, machine):
        each.passes(timedelta(seconds=KEEP_SECONDS))
    ahead_of_others.follow()
    behind_others.follow()
    assert behind_others() == ahead_of_others() == PAST + HOUR + timedelta(seconds=KEEP_SECONDS)
    for _ in range(3):
        assert ahead.clock(bucket)() == ahead_of_others(), "restarts do not add to what is ahead"
        behind_others.keep()
    assert machine.clock(bucket)() == behind_others()


def test_a_bucket_that_cannot_be_used_stops_no_clock(
    bucket: BucketPath, machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = machine.clock(bucket)
    with monkeypatch.context() as wrong:
        wrong.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        for _ in range(3):
            machine.passes(HOUR)
            clock.follow()
        assert clock() == PAST + 3 * HOUR
    assert caplog.text.count("the clock goes on by itself") == caplog.text.count("tried again and again") == 1
    machine.passes(LOOK)
    clock.follow()
    machine.now -= HOUR
    assert machine.clock(bucket)() == PAST + 3 * HOUR + LOOK


def test_a_clock_of_an_earlier_version_is_read(tmp_path: Path, machine: Machine) -> None:
    document = {"as_of": PAST.isoformat(), "anchored_at": (WALL - HOUR).isoformat()}
    (tmp_path / "clock.json").write_text(json.dumps(document))
    assert machine.clock(tmp_path)() == PAST + HOUR


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
            seconds = super().monotonic()
            if self.moves_on:
                self.moves_on = False
                clock.advance(PAST + 1001 * HOUR)
            return seconds

    machine = Interrupted()
    clock = machine.clock(tmp_path)
    machine.passes(1000 * HOUR)
    machine.moves_on = True
    assert clock() == PAST + 1000 * HOUR
    assert clock() == PAST + 1001 * HOUR
