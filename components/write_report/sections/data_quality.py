"""The section on data quality: new rows, rows set aside with reasons, and a description of the clean data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from components.contracts.steps.facts import EventFacts, IngestionFacts, NewRows, SnapshotFacts, ValidationFacts
from components.shop.settings import Contract
from components.write_report import formats
from components.write_report.facts import step_facts
from components.write_report.plots import Columns, columns
from components.write_report.run_outline import Records

MAX_FILES = 5  # of one reason that are named
MAX_BARS = 120  # days; a longer span is shown by week


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
    """One limit of the data contract and the measured share."""

    name: str
    found: float
    limit: float

    @property
    def kept(self) -> bool:
        """Return whether what was found stays within the limit."""
        return self.found <= self.limit


@dataclass(frozen=True)
class DataQuality:
    """The new data, and how much of them could be used."""

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
        """Return the rows of events."""
        return next((table for table in self.tables if table.name == "events"), None)


def data_quality(records: Records, contract: Contract) -> DataQuality | None:
    """Gather what ingestion and validation recorded; None when neither recorded anything."""
    ingested = step_facts(records, "ingest_events", IngestionFacts)
    validated = step_facts(records, "validate_events", ValidationFacts)
    if ingested is None and validated is None:
        return None
    validated = validated or ValidationFacts()
    events, days, new = validated.events, validated.days, validated.new.get("events")
    by_week = len(days.rows) > MAX_BARS
    return DataQuality(
        tables=_tables(validated),
        about=tuple(_about(events)) if events else (),
        reasons=_reasons(validated),
        limits=tuple(_limits(new, contract)) if new else (),
        days=_days(days.first, days.rows, 7 if by_week else 1),
        by_week=by_week,
        notes=(*(_source_notes(ingested) if ingested else ()), *_clean_notes(validated)),
        users=events.users if events else None,
        items=events.items if events else None,
    )


def _tables(validated: ValidationFacts) -> tuple[TableRows, ...]:
    names = dict.fromkeys((*validated.new, *validated.tables))
    tables = [
        _table(name, validated.new.get(name), validated.tables.get(name), validated.snapshots.get(name))
        for name in names
    ]
    return tuple(table for table in tables if table.new or table.total or table.quarantined)


def _table(name: str, new: NewRows | None, total: int | None, snapshot: SnapshotFacts | None) -> TableRows:
    if new is not None:
        return TableRows(name, new.rows, new.clean, new.quarantined, total)
    return TableRows(name, None, None, sum(snapshot.reasons.values()) if snapshot else None, total)


def _about(events: EventFacts) -> Iterator[tuple[str, str]]:
    if events.first and events.last:
        span = f"{formats.day(events.first)} to {formats.day(events.last)}"
        yield "Clean events", f"{formats.count(events.rows)}, {span}"
    yield "Customers", formats.count(events.users)
    yield "Items met", formats.count(events.items)
    types = [f"{formats.count(rows)} {formats.words(kind)}" for kind, rows in events.types.items()]
    if types:
        yield "Kinds", ", ".join(types)


def _reasons(validated: ValidationFacts) -> tuple[Quarantined, ...]:
    reasons = [
        Quarantined(each.table, each.words or each.reason, each.rows, next(iter(each.examples), None))
        for each in validated.quarantine
        if each.rows
    ]
    return tuple(sorted(reasons, key=lambda each: -each.rows))


def _limits(new: NewRows, contract: Contract) -> Iterator[Limit]:
    """Compare this run's new events with the limits that the shop file sets; a limit of 100 % is none."""
    if not new.rows:
        return
    unusable = new.quarantined if new.unusable is None else new.unusable
    watched = (
        ("New rows set aside", unusable, contract.max_quarantined),
        ("New rows without a customer", new.without_user, contract.max_missing_users),
    )
    for name, count, limit in watched:
        if count is not None and limit < 1:
            yield Limit(name, count / new.rows, max(limit, min(contract.tolerated_rows / new.rows, 1.0)))


def _days(first: str | None, rows: Sequence[int], width: int) -> Columns | None:
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


def _source_notes(ingested: IngestionFacts) -> Iterator[str]:
    for name, source in ingested.sources.items():
        if source.rows_repeated:
            yield f"{formats.count(source.rows_repeated)} rows of {name} were known already and are counted once."
        if source.times:
            yield f"Times of {name} were read: {', '.join(source.times)}."
        if source.unmapped:
            yield f"Columns of {name} that the shop file does not use: {', '.join(source.unmapped)}."
        if source.new_columns:
            yield f"Columns of {name} that are new since the last run: {', '.join(source.new_columns)}."
        if source.left_out:
            yield f"Files of {name} that are no data and were left out: {_listed_files(source.left_out)}."


def _listed_files(reasons: Mapping[str, str]) -> str:
    """Name files by reason, the first ones of each."""
    by_reason: dict[str, list[str]] = {}
    for file, reason in reasons.items():
        by_reason.setdefault(reason, []).append(file)
    return "; ".join(f"{_first_files(named)} ({reason})" for reason, named in by_reason.items())


def _first_files(named: Sequence[str]) -> str:
    more = len(named) - MAX_FILES
    return f"{', '.join(named[:MAX_FILES])}{f' and {formats.count(more)} more' if more > 0 else ''}"


def _clean_notes(validated: ValidationFacts) -> Iterator[str]:
    references = validated.references
    if references.unknown_items:
        yield f"{formats.share(references.unknown_items)} of the clean events are of an item that the catalogue lacks."
    if references.unknown_users:
        of_users = formats.share(references.unknown_users)
        yield f"{of_users} of the clean events are of a customer of whom nothing else is known."
    for name, rows in validated.dropped_sources.items():
        if rows:
            yield f"{formats.count(rows)} rows of {name} are left out: the shop file no longer names that source."
    if rows := references.not_merchandise_rows:
        yield f"{formats.count(rows)} events are of items that are not merchandise and are never recommended."
    if empty := validated.days.empty:
        named = ", ".join(formats.day(day) for day in empty[:5])
        days = "1 day has" if len(empty) == 1 else f"{formats.count(len(empty))} days have"
        yield f"{days} no event: {named}{' and others' if len(empty) > 5 else ''}."
    for name, share in validated.events.missing.items() if validated.events else ():
        if 0 < share < 1:
            yield f"{formats.title(name)} is missing in {formats.share(share)} of the clean events."
