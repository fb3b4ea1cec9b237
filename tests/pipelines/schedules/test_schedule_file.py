"""The file of schedules, and its cron expressions."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from components.contracts.errors import ConfigurationError
from pipelines.schedules.cron import Cron, read_kfp_cron
from pipelines.schedules.schedule_file import SCHEDULES_FILE, read_schedules

SCHEDULE = """
[[schedules]]
name = "weekly training"
pipeline = "training"
cron = "0 3 * * 1"
parameters = { shop = "/etc/rankloop/shop.toml", home = "${HOME_OF_SHOP}" }
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME_OF_SHOP", "s3://bucket/shop")
    return tmp_path / "schedules.toml"


def test_a_schedule_is_read_with_its_variables(file: Path) -> None:
    file.write_text(SCHEDULE)
    (schedule,) = read_schedules(file).schedules
    assert schedule.parameters["home"] == "s3://bucket/shop"
    assert schedule.enabled


def test_the_committed_schedules_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKLOOP_HOME", "s3://bucket/shop")
    monkeypatch.setenv("RANKLOOP_ENVIRONMENT", "production")
    assert {schedule.pipeline for schedule in read_schedules(SCHEDULES_FILE).schedules} == {"training", "monitoring"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"training"', '"trainin"', "'weekly training': pipeline: found 'trainin', expected training or monitoring"),
        ("0 3 * * 1", "0 3 * *", "'weekly training': cron: found '0 3 * *', expected five fields: minute hour day"),
        ("0 3 * * 1", "0 0 3 * * 1", "cron: found '0 0 3 * * 1', expected five fields"),
        ("0 3 * * 1", "61 3 * * 1", "cron: found '61 3 * * 1': bad minute"),
        ("0 3 * * 1", "0 3 * * 7", "cron: found '7' as the weekday, expected 0 to 6, of which 0 is Sunday"),
        ("0 3 * * 1", "0 3 * * 1-7/2", "cron: found '1-7/2' as the weekday, expected 0 to 6"),
        ("0 3 * * 1", "0 3 L * 1", "cron: found 'L' as the day, expected numbers, names"),
        ("0 3 * * 1", "0 3 31 2 *", "cron: found '0 3 31 2 *': bad day-of-month"),
        ("${HOME_OF_SHOP}", "${NOBODY}", "weekly training: parameters.home: found ${NOBODY}, but that environment"),
        ("cron =", "corn =", "'weekly training': cron: field required"),
        ('"0 3 * * 1"', "3", "'weekly training': cron: input should be a valid string"),
        ("[[schedules]]", 'owner = "A B"\n[[schedules]]', "owner: string should match pattern"),
        ("[[schedules]]", 'time_zone = "Mars"\n[[schedules]]', "time_zone: found 'Mars', expected a time zone"),
        ("[[schedules]]", f"{SCHEDULE}[[schedules]]", "found two schedules of the name 'weekly training'"),
        ("[[schedules]]", "[schedules", "is no TOML: "),
        ("name =", "# name =", "schedule 1: name: field required"),
    ],
)
def test_what_is_wrong_with_the_file_is_one_line(file: Path, old: str, new: str, words: str) -> None:
    file.write_text(SCHEDULE.replace(old, new))
    with pytest.raises(ConfigurationError) as refused:
        read_schedules(file)
    assert str(refused.value).startswith(f"{file}: ")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_one_line(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read \\(No such file or directory\\); name another --file"):
        read_schedules(file)


def test_ticks_are_read_in_the_zone_of_the_controller() -> None:
    cron = Cron("30 5 * * mon", ZoneInfo("Europe/Berlin"))
    assert cron.next(datetime(2026, 6, 1, 3, 30, tzinfo=UTC)) == datetime(2026, 6, 8, 3, 30, tzinfo=UTC)
    assert cron.next(datetime(2026, 6, 1, 3, 29, 59, tzinfo=UTC)) == datetime(2026, 6, 1, 3, 30, tzinfo=UTC)


def test_kfp_is_given_seconds_first_and_read_back() -> None:
    cron = Cron("30 5 * * 1", ZoneInfo("UTC"))
    assert cron.with_seconds == "0 30 5 * * 1"
    assert read_kfp_cron(cron.with_seconds, cron.zone) == cron
    assert read_kfp_cron("5 30 5 * * 1", cron.zone) is None
    assert read_kfp_cron("@daily", cron.zone) is None
