"""The section on data quality: what came in, what was set aside and why, and what the clean data are like."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from components.shop.settings import Contract
from components.write_report import formats
from components.write_report.facts import Facts, as_number, facts_of
from components.write_report.plots import Columns, columns
from components.write_report.run_outline import Records

MOST_FILES = 5  # of one reason that are named
MOST_BARS = 120  # beyond so many days, rows are shown by week


@dataclass(frozen=True)
class TableRows:
    """Rows of one canonical table: new ones in this run, and all clean ones."""

    name: str
    new: int | None
    clean: int | None
    quarantined: int | None
    total: int | None


@dataclass(frozen=True)
class Quarantined:
    """Rows kept apart for one reason, with one of them as it was found."""

    table: str
    reason: str  # in words, with the values that were found
    rows: int
    example: str | None


@dataclass(frozen=True)
class Limit:
    """One limit of the data contract and what was found."""

    name: str
    found: float
    limit: float

    @property
    def kept(self) -> bool:
        """Whether what was found stays within the limit."""
        return self.found <= self.limit


@dataclass(frozen=True)
class DataQuality:
    """What came in, and how much of it could be used."""

    tables: tuple[TableRows, ...]
    about: tuple[tuple[str, str], ...]
    reasons: tuple[Quarantined, ...]
    limits: tuple[Limit, ...]
    days: Columns | None
    by_week: bool
    notes: tuple[str, ...]
    users: int | None
    items: int | None

    @property
    def events(self) -> TableRows | None:
        """The rows of events."""
        return next((table for table in self.tables if table.name == "events"), None)


def data_quality(records: Records, contract: Contract) -> DataQuality | None:
    """Gather what ingestion and validation recorded; None when neither recorded anything."""
    ingested, validated = facts_of(records, "ingest_events"), facts_of(records, "validate_events")
    if not ingested and not validated:
        return None
    rows = validated.child("days").numbers("rows")
    by_week = len(rows) > MOST_BARS
    return DataQuality(
        tables=_tables(validated),
        about=tuple(_about(validated.child("events"))),
        reasons=_reasons(validated),
        limits=tuple(_limits(validated.child("new").child("events"), contract)),
        days=_days(validated.child("days").text("first"), rows, 7 if by_week else 1),
        by_week=by_week,
        notes=(*_source_notes(ingested), *_clean_notes(validated)),
        users=validated.child("events").count("users"),
        items=validated.child("events").count("items"),
    )


def _tables(validated: Facts) -> tuple[TableRows, ...]:
    new, sizes, snapshots = validated.child("new"), validated.child("tables"), validated.child("snapshots")
    names = dict.fromkeys(name for facts in (new, sizes) for name, _ in facts.items())
    tables = (
        TableRows(
            name=name,
            new=new.child(name).count("rows"),
            clean=new.child(name).count("clean"),
            quarantined=new.child(name).count("quarantined") if name in new else _set_aside(snapshots.child(name)),
            total=sizes.count(name),
        )
        for name in names
    )
    return tuple(table for table in tables if table.new or table.total or table.quarantined)


def _set_aside(snapshot: Facts) -> int | None:
    """Return how many rows of a catalogue, customer or promotion table are set aside."""
    if not snapshot:
        return None
    return int(sum(as_number(rows) or 0 for _, rows in snapshot.child("reasons").items()))


def _about(events: Facts) -> Iterator[tuple[str, str]]:
    first, last = events.text("first"), events.text("last")
    if first and last:
        yield "Clean events", f"{formats.count(events.number('rows'))}, {formats.day(first)} to {formats.day(last)}"
    for key, words in (("users", "Customers"), ("items", "Items met")):
        if key in events:
            yield words, formats.count(events.number(key))
    kinds = [f"{formats.count(as_number(rows))} {formats.words(kind)}" for kind, rows in events.child("types").items()]
    if kinds:
        yield "Kinds", ", ".join(kinds)


def _reasons(validated: Facts) -> tuple[Quarantined, ...]:
    found = [
        Quarantined(
            table=each.text("table") or "events",
            reason=each.text("words", "reason") or "unknown",
            rows=each.count("rows") or 0,
            example=next(iter(each.texts("examples")), None),
        )
        for each in validated.children("quarantine", "reason")
    ]
    return tuple(sorted((each for each in found if each.rows), key=lambda each: -each.rows))


def _limits(new: Facts, contract: Contract) -> Iterator[Limit]:
    """Compare this run's new events with the limits that the shop file sets; a limit of 100 % is none."""
    rows = new.number("rows")
    if not rows:
        return
    watched = (
        ("New rows set aside", ("unusable", "quarantined"), contract.max_quarantined),
        ("New rows without a customer", ("without_user",), contract.max_missing_users),
    )
    for name, keys, limit in watched:
        count = new.number(*keys)
        if count is not None and limit < 1:
            yield Limit(name, count / rows, max(limit, min(contract.tolerated_rows / rows, 1.0)))


def _days(first: str | None, rows: tuple[float, ...], width: int) -> Columns | None:
    """Return rows by ``width`` days; ``first`` is the ISO day of the first value."""
    start = _date(first)
    if start is None or not rows:
        return None
    sums = [sum(rows[at : at + width]) for at in range(0, len(rows), width)]
    starts = [formats.day((start + timedelta(days=at)).isoformat()) for at in range(0, len(rows), width)]
    unit = "" if width == 1 else "week of "
    labels = [f"{unit}{day}: {formats.count(total)} rows" for day, total in zip(starts, sums, strict=True)]
    drawn = columns(sums, labels, formats.count)
    last = formats.day((start + timedelta(days=len(rows) - 1)).isoformat())
    return drawn and Columns(drawn.axis, drawn.bars, starts[0], last)


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return None


def _source_notes(ingested: Facts) -> Iterator[str]:
    for source in ingested.children("sources"):
        name = source.text("name") or "source"
        if repeated := source.count("rows_repeated"):
            yield f"{formats.count(repeated)} rows of {name} were known already and are counted once."
        if times := source.texts("times"):
            yield f"Times of {name} were read: {', '.join(times)}."
        if unused := source.texts("unmapped"):
            yield f"Columns of {name} that the shop file does not use: {', '.join(unused)}."
        if grown := source.texts("new_columns"):
            yield f"Columns of {name} that are new since the last run: {', '.join(grown)}."
        if files := source.child("left_out").items():
            yield f"Files of {name} that are no data and were left out: {_listed_files(files)}."


def _listed_files(files: Sequence[tuple[str, Any]]) -> str:
    """Name files by reason, the first ones of each."""
    by_reason: dict[str, list[str]] = {}
    for file, reason in files:
        by_reason.setdefault(str(reason), []).append(file)
    return "; ".join(f"{_first_files(named)} ({reason})" for reason, named in by_reason.items())


def _first_files(named: Sequence[str]) -> str:
    more = len(named) - MOST_FILES
    return f"{', '.join(named[:MOST_FILES])}{f' and {formats.count(more)} more' if more > 0 else ''}"


def _clean_notes(validated: Facts) -> Iterator[str]:
    references = validated.child("references")
    for key, words in (
        ("unknown_items", "are of an item that the catalogue lacks"),
        ("unknown_users", "are of a customer of whom nothing else is known"),
    ):
        if share := references.number(key):
            yield f"{formats.share(share)} of the clean events {words}."
    for name, each in validated.child("dropped_sources").items():
        if left_out := as_number(each):
            yield f"{formats.count(left_out)} rows of {name} are left out: the shop file no longer names that source."
    if rows := references.count("not_merchandise_rows"):
        yield f"{formats.count(rows)} events are of items that are not merchandise and are never recommended."
    empty = validated.child("days").texts("empty")
    if empty:
        named = ", ".join(formats.day(day) for day in empty[:5])
        found = "1 day has" if len(empty) == 1 else f"{formats.count(len(empty))} days have"
        yield f"{found} no event: {named}{' and others' if len(empty) > 5 else ''}."
    missing = [
        (name, share) for name, each in validated.child("events").child("missing").items() if (share := as_number(each))
    ]
    for name, share in missing:
        if share < 1:
            yield f"{formats.title(name)} is missing in {formats.share(share)} of the clean events."
