"""Numbers and times as people write them: 1.47 million, 3.2 %, 28 August 2017."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

ABSENT = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
NARROW = "\u202f"  # narrow no-break space: between digit groups, and before a unit
_SCALES = ((1e9, "billion"), (1e6, "million"))


def count(value: float | None) -> str:
    """Write a count: 412, 92,331, 1.47 million."""
    if value is None or not math.isfinite(value):
        return ABSENT
    for size, word in _SCALES:
        if abs(value) >= size:
            return f"{_significant(value / size, 3)} {word}"
    return f"{value:,.0f}"


def share(value: float | None) -> str:
    """Write a share of one as a percentage: 0.0321 becomes 3.2 %."""
    if value is None or not math.isfinite(value):
        return ABSENT
    percent = 100 * value
    if percent == 0:
        return f"0{NARROW}%"
    if abs(percent) < 0.01:
        return f"{'<' if percent > 0 else f'> {MINUS}'}0.01{NARROW}%"
    digits = 0 if abs(percent) >= 99.95 else 1 if abs(percent) >= 1 else 2
    return f"{_minus(percent, digits)}{NARROW}%"


def change(value: float | None) -> str:
    """Write a relative change with its sign: +4.2 %, -0.8 %."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{'+' if value > 0 else ''}{_minus(100 * value, 1)}{NARROW}%"


def score(value: float | None) -> str:
    """Write a score between 0 and 1 with the digits that people compare: 0.283."""
    return ABSENT if value is None or not math.isfinite(value) else _minus(value, 3)


def difference(value: float | None) -> str:
    """Write a signed difference of two scores: +0.012."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{'+' if value > 0 else ''}{_minus(value, 4)}"


def number(value: float | None) -> str:
    """Write any number with about three significant digits."""
    if value is None or not math.isfinite(value):
        return ABSENT
    if abs(value) >= 1e6:
        return count(value)
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}".replace("-", MINUS)
    if abs(value) < 1e-3:
        return f"{value:.1e}".replace("-", MINUS)
    text = _significant(value, 3)
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(value: float | None, currency: str = "") -> str:
    """Write money with two decimals: a sign before the number, a code after it."""
    if value is None or not math.isfinite(value):
        return ABSENT
    amount = f"{value:,.2f}".replace("-", MINUS)
    return f"{amount}{NARROW}{currency}" if currency.isalpha() else f"{currency}{amount}"


def duration(seconds: float | None) -> str:
    """Write a duration: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds is None or not math.isfinite(seconds):
        return ABSENT
    if seconds < 9.95:
        return f"{seconds:.1f}{NARROW}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{NARROW}s"
    if whole < 3600:
        return f"{whole // 60}{NARROW}min {whole % 60}{NARROW}s"
    return f"{whole // 3600}{NARROW}h {whole % 3600 // 60}{NARROW}min"


def memory(megabytes: float | None) -> str:
    """Write memory given in MB: 812 MB, 3.4 GB."""
    if not megabytes:
        return ABSENT
    return f"{megabytes / 1024:.1f}{NARROW}GB" if megabytes >= 1024 else f"{megabytes:.0f}{NARROW}MB"


def moment(value: str | datetime | None) -> str:
    """Write an ISO time: 28 August 2017, 00:00 UTC; text that is not a time comes back as it is."""
    time = _time(value)
    if time is None:
        return str(value) if value else ABSENT
    return f"{day(time)}, {time:%H:%M} {_zone(time)}".rstrip()


def day(value: str | datetime | None) -> str:
    """Write the day of an ISO time: 28 August 2017."""
    time = _time(value)
    if time is None:
        return str(value) if value else ABSENT
    return f"{time.day} {time:%B %Y}"


def in_zone(value: str | None, zone: ZoneInfo) -> str | None:
    """Move an ISO time that has a zone into another; anything else comes back as it is."""
    time = _time(value)
    return value if time is None or time.tzinfo is None else time.astimezone(zone).isoformat()


def short_digest(value: str | None) -> str:
    """Write the first twelve characters of a digest, without its algorithm."""
    return value.removeprefix("sha256:")[:12] if value else ABSENT


def words(identifier: str) -> str:
    """Write an identifier as words: ``buy_it_again`` becomes ``buy it again``."""
    return identifier.replace("_", " ").strip()


def sentence(text: str) -> str:
    """Begin a text with a capital and end it with a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def title(identifier: str) -> str:
    """Write an identifier as a heading: ``buy_it_again`` becomes ``Buy it again``."""
    text = words(identifier)
    return text[:1].upper() + text[1:]


def _minus(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.replace("-", MINUS) if float(text) else text.lstrip("-")


def _significant(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return _minus(value, decimals)


def _zone(value: datetime) -> str:
    offset = value.strftime("%z")
    return "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:5]}" if offset else ""


def _time(value: str | datetime | None) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value) if value else None
    except ValueError:
        return None
