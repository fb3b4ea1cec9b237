"""What people may write for a moment."""

from zoneinfo import ZoneInfo

import pytest

from components.contracts.errors import ConfigurationError
from components.contracts.moments import read_moment

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2024-03-01", "2024-02-29T23:00:00+00:00"),
        ("2024-03-01T06:00:00", "2024-03-01T05:00:00+00:00"),
        ("2024-03-01T06:00:00Z", "2024-03-01T06:00:00+00:00"),
        ("2024-03-01T06:00:00-02:00", "2024-03-01T08:00:00+00:00"),
    ],
)
def test_a_moment_is_a_date_or_a_time(written: str, moment: str) -> None:
    assert read_moment(written, BERLIN).isoformat() == moment


@pytest.mark.parametrize(
    "written",
    [
        *("noon", "", "9999-12-31T23:59:59-12:00", "0001-01-01", "9999-12-31T00:00:00Z"),
        *("20170828", "2017-W35", "2017-08-28T06", "2017-08-28T24:00"),  # ISO 8601 too, but not on every Python
    ],
)
def test_what_is_no_moment_is_a_wrong_option(written: str) -> None:
    with pytest.raises(ConfigurationError, match=f"as-of: found '{written}', expected a date or a time such as"):
        read_moment(written, BERLIN)
