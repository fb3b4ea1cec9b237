"""Cron expressions of five fields, and the moments they name.

KFP reads six fields, the first of which are seconds, and takes five for six without the last: it would take the minute
for a second. Its parser knows neither time zones nor the weekday 7.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

PART = r"(\*|\d+|[A-Za-z]{3})(-(\d+|[A-Za-z]{3}))?(/\d+)?"
FIELD = re.compile(f"{PART}(,{PART})*")
FIELDS = ("minute", "hour", "day", "month", "weekday")


@dataclass(frozen=True)
class Cron:
    """An expression, and the zone in which KFP's controller reads it."""

    expression: str
    zone: ZoneInfo

    def __post_init__(self) -> None:
        """Check the expression.

        Raises:
            ValueError: KFP would read it otherwise, or not at all.
        """
        fields = self.expression.split()
        if len(fields) != len(FIELDS):
            raise ValueError(f"found {self.expression!r}, expected five fields: {' '.join(FIELDS)}")
        for name, field in zip(FIELDS, fields, strict=True):
            if not FIELD.fullmatch(field):
                raise ValueError(f"found {field!r} as the {name}, expected numbers, names, `*`, `,`, `-` and `/`")
        ranges = [part.partition("/")[0] for part in fields[4].split(",")]
        if any("7" in one.split("-") for one in ranges):
            raise ValueError(f"found {fields[4]!r} as the weekday, expected 0 to 6, of which 0 is Sunday")
        try:
            CronSim(self.expression, datetime(2026, 1, 1, tzinfo=self.zone))
        except CronSimError as error:
            raise ValueError(f"found {self.expression!r}: {str(error).lower()}") from error

    @property
    def with_seconds(self) -> str:
        """The expression as KFP reads it."""
        return f"0 {' '.join(self.expression.split())}"

    def next(self, moment: datetime) -> datetime:
        """Return the first tick after a moment."""
        return next(CronSim(self.expression, moment.astimezone(self.zone))).astimezone(moment.tzinfo)


def read_kfp_cron(expression: str, zone: ZoneInfo) -> Cron | None:
    """Read an expression that KFP holds; None where it is none of ours."""
    seconds, _, rest = expression.partition(" ")
    try:
        return Cron(rest, zone) if seconds == "0" else None
    except ValueError:
        return None
