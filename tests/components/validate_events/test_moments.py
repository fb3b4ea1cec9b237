from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from components.contracts.errors import ContractBreach
from components.validate_events.moments import resolve_as_of

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("asked", "newest", "moment"),
    [
        (None, "2024-03-02", "2024-03-01T23:00:00+00:00"),
        (None, "2024-07-01", "2024-06-30T22:00:00+00:00"),
        ("2024-03-01", "2024-03-09", "2024-02-29T23:00:00+00:00"),
        ("2024-03-01T06:00:00", None, "2024-03-01T05:00:00+00:00"),
        ("2024-03-01T06:00:00Z", None, "2024-03-01T06:00:00+00:00"),
    ],
)
def test_a_run_stands_at_what_was_asked_or_at_the_end_of_the_last_complete_day(
    asked: str | None, newest: str | None, moment: str
) -> None:
    known = date.fromisoformat(newest) if newest else None

    assert resolve_as_of(asked, known, BERLIN) == datetime.fromisoformat(moment)


def test_no_events_and_nothing_asked_is_a_breach() -> None:
    with pytest.raises(ContractBreach, match="found no usable event"):
        resolve_as_of(None, None, BERLIN)
