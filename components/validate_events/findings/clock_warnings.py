"""What a run says of rows that a wrong clock dated, and of the day where it takes the data to end."""

from collections.abc import Iterator, Sequence
from datetime import date

from components.shop.settings import Contract
from components.validate_events.rows.clocks import FAR_AFTER, Days, FarRows, usual_rows


def far_warnings(far: Sequence[FarRows], contract: Contract) -> Iterator[str]:
    """Name the rows that are set aside because of their clocks, and the keys that would take them."""
    for rows in far:
        where = "after" if rows.reason == FAR_AFTER else "before"
        yield (
            f"events: {rows.rows:,} rows of {_span(rows.first, rows.last)} lie {rows.gap_days:,} days {where} all "
            f"others and are set aside ({rows.reason}); correct their clocks in the source, or, if the shop was closed "
            f"in between, set contract.max_gap_days (now {contract.max_gap_days}) to at least {rows.gap_days}"
        )


def end_warnings(days: Days, end: date | None, contract: Contract) -> Iterator[str]:
    """Say which days at the end of the data have too few rows for a run to stand at."""
    later = sorted(day for day in days if end is not None and day > end)
    if not later or end is None:
        return
    yield (
        f"events: the run stands at the beginning of {end}, the newest day with a plausible share of the "
        f"{usual_rows(days, end):,.0f} rows of a usual day (contract.min_day_share = {contract.min_day_share:.4g}); "
        f"{sum(days[day] for day in later):,} later rows, of {_span(str(later[0]), str(later[-1]))}, are not used; "
        "--as-of names another moment"
    )


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"
