"""Cursors of SQL sources: the values as notes keep them, and how far back rows may still arrive.

A row may be committed after rows of larger values, by a transaction that began before theirs. So a window behind the
newest value is read again, and the rows below it are counted: more of them than at the last reading were committed
later still, and the whole table is read again. Rows that are known are known by their content.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

LOOK_BACK_TIME = timedelta(days=1)
LOOK_BACK_NUMBER = 10_000


def window_start(newest: Any) -> Any:
    """Return the cursor value from which rows are read again once ``newest`` was read."""
    try:
        if isinstance(newest, datetime | date):
            return newest - LOOK_BACK_TIME
        if isinstance(newest, int | float | Decimal):
            return newest - LOOK_BACK_NUMBER
        return (date.fromisoformat(newest[:10]) - LOOK_BACK_TIME).isoformat()
    except (OverflowError, ValueError):  # the first day of all, or a text that is no date
        return newest


def write_cursor(value: Any) -> dict[str, str]:
    """Return a cursor value as JSON that ``read_cursor`` turns back into what the database compares with."""
    if isinstance(value, datetime):
        return {"kind": "time", "value": value.isoformat()}
    if isinstance(value, date):
        return {"kind": "date", "value": value.isoformat()}
    if isinstance(value, int | Decimal | float):
        return {"kind": "number", "value": str(value)}
    return {"kind": "text", "value": str(value)}


def read_cursor(written: dict[str, str]) -> Any:
    """Return the inverse of ``write_cursor``."""
    readers: dict[str, Callable[[str], Any]] = {
        "time": datetime.fromisoformat,
        "date": date.fromisoformat,
        "number": _number,
        "text": str,
    }
    return readers[written["kind"]](written["value"])


def _number(value: str) -> int | Decimal:
    return int(value) if value.lstrip("-").isdigit() else Decimal(value)
