"""From a source's columns to the canonical ones: SQL that maps rows and marks those it cannot read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from components.contracts.errors import SourceError
from components.contracts.tables import RAW
from components.ingest_events.mapping.cells import id_reading, number_reading, sum_reading, text_value
from components.ingest_events.mapping.times import Reading, time_reading, words_for_times
from components.lake.id_sql import means_nobody_sql, trimmed_sql
from components.lake.number_signs import NumberSigns
from components.lake.session import quote_identifier, quote_literal
from components.shop.settings import EventSource, ImpressionSource, ItemSource, UserSource
from components.shop.sources import CellSource

FILE = "__file"  # which file a row comes from; nothing for tables
PROBLEM, ROW = "__problem", "__row"  # of a CSV: what is wrong with a row as a whole, and the row as it was found
NESTED = ("STRUCT", "MAP", "UNION")
ADDED = ("batch", "row_id", "problem", "found")  # columns of a raw table beside what a row says
ROW_KEY = '"the whole row"'
ALWAYS = "TIMESTAMPTZ '1970-01-01 00:00:00+00'"
IDENTITY_LETTERS = 20  # of a hexadecimal md5: 80 bits


def row_identity(cells: Iterable[str]) -> str:
    """Return SQL of a row's identity: a hash of cells as text."""
    return f"left(md5(concat_ws(chr(31), {', '.join(cells)})), {IDENTITY_LETTERS})"


@dataclass(frozen=True)
class Mapping:
    """Canonical columns as readings of the source's, and the source columns that they use."""

    readings: dict[str, Reading]
    source: "SourceColumns"
    optional: dict[str, str] | None = None  # source columns, by canonical name, whose bad cells cost the cell alone
    row_id: str | None = None  # SQL of the row's identity, for rows that have one; others are known by their content

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the source columns that the readings use."""
        return tuple(self.source.used)

    @property
    def times(self) -> tuple[str, ...]:
        """Return how time columns are read, in words."""
        return tuple(self.source.times)

    def select(self, relation: str, keep: Iterable[str] = ()) -> str:
        """Return SQL of the mapped rows of a relation, with ``problem`` and ``found``; ``keep`` are columns to pass on.

        Of a table with optional columns, ``bad_cells`` is a map of the unreadable ones and what they held.
        """
        optional = self.optional or {}
        problems = self.source.problems(
            reading.problem for key, reading in self.readings.items() if key not in optional
        )
        values = [f"{reading.value} AS {quote_identifier(canonical)}" for canonical, reading in self.readings.items()]
        if self.optional is not None:
            values.append(f"{self._bad_cells()} AS bad_cells")
        return (
            f"SELECT {problems} AS problem, "
            f"CASE WHEN {problems} IS NOT NULL THEN {self.source.as_found(self.columns)} END AS found, "
            f"{', '.join([*values, *keep])} FROM {relation}"
        )

    def _bad_cells(self) -> str:
        cells = {
            canonical: f"""
                CASE
                    WHEN ({self.readings[canonical].problem}) IS NOT NULL
                    THEN CAST({quote_identifier(column)} AS VARCHAR)
                END
                """
            for canonical, column in (self.optional or {}).items()
        }
        return _present_entries(cells)


class SourceColumns:
    """The columns that a source, or one file of it, has, by name and DuckDB type; and those that a mapping has used."""

    def __init__(
        self,
        where: str,
        kinds: dict[str, str],
        source: CellSource,
        zone: ZoneInfo,
        file: str | None = None,
        has_row_problems: bool = False,
    ) -> None:
        self.where, self.kinds, self.source, self.zone, self.file = where, kinds, source, zone, file
        self.has_row_problems = has_row_problems
        self.used: dict[str, None] = {}
        self.times: dict[str, None] = {}

    @property
    def _signs(self) -> NumberSigns:
        return NumberSigns(self.source.decimal, self.source.thousands)

    @property
    def of_rows(self) -> tuple[str, ...]:
        """Return what the relation says of each row as a whole, beside the source's columns."""
        return (PROBLEM, ROW) if self.has_row_problems else ()

    def problems(self, of_cells: Iterable[str]) -> str:
        """Return SQL of the first problem of a row: as a whole, then of its cells."""
        return f"coalesce({', '.join([*self.of_rows[:1], *of_cells, 'NULL'])})"

    def as_found(self, columns: Iterable[str], extra: str = "") -> str:
        """Return SQL of a row's cells as JSON; where the row as a whole is wrong, with the whole row."""
        cells = ", ".join(f"{quote_identifier(column)} := {quote_identifier(column)}" for column in columns) + extra
        as_json = f"CAST(to_json(struct_pack({cells})) AS VARCHAR)"
        if not self.of_rows:
            return as_json
        whole = f"CAST(to_json(struct_pack({cells}, {ROW_KEY} := {ROW})) AS VARCHAR)"
        return f"CASE WHEN {ROW} IS NULL THEN {as_json} ELSE {whole} END"

    def as_text(self) -> "SourceColumns":
        """Return the same columns, all of them as text."""
        kinds = dict.fromkeys(self.kinds, "VARCHAR")
        text_columns = SourceColumns(self.where, kinds, self.source, self.zone, self.file, self.has_row_problems)
        text_columns.used = dict(self.used)
        return text_columns

    def kind(self, key: str, column: str) -> str:
        """Return the type of a column.

        Raises:
            SourceError: the source lacks the column that the shop file names.
        """
        if column not in self.kinds:
            raise SourceError(
                f"{self.where}: found no column {column!r}, which `{key}` names; {self.file or 'the source'} has "
                f"{', '.join(self.kinds)}; correct the shop file, or the file: each one must have the mapped columns"
            )
        self.used[column] = None
        return self.kinds[column]

    def plain_kind(self, key: str, column: str) -> str:
        """Return the type of a column of plain values.

        Raises:
            SourceError: the source lacks the column, or its cells are structs, maps or lists.
        """
        kind = self.kind(key, column)
        if kind.startswith(NESTED) or kind.endswith("]"):
            raise SourceError(
                f"{self.where}: the column {column!r}, which `{key}` names, holds {kind} values"
                f"{f' in {self.file}' if self.file else ''}, expected text or numbers; name a column of plain values"
            )
        return kind

    def id(self, key: str, column: str | None) -> Reading:
        if column is None:
            return Reading("CAST(NULL AS VARCHAR)")
        return id_reading(column, self.plain_kind(key, column), key)

    def text(self, key: str, column: str | None) -> Reading:
        return Reading("CAST(NULL AS VARCHAR)" if column is None else text_value(column, self.plain_kind(key, column)))

    def number(self, key: str, column: str | None) -> Reading:
        if column is None:
            return Reading("CAST(NULL AS DOUBLE)")
        return number_reading(column, self.plain_kind(key, column), key, self._signs)

    def total(self, key: str, columns: tuple[str, ...]) -> Reading:
        if not columns:
            return self.number(key, None)
        return sum_reading(columns, {column: self.plain_kind(key, column) for column in columns}, key, self._signs)

    def time(self, key: str, column: str) -> Reading:
        kind, time_format = self.kind(key, column), self.source.time_format
        self.times[f"{column} as {words_for_times(kind, time_format, self.zone)}"] = None
        return time_reading(self.where, column, kind, time_format, self.zone)

    def valid_from(self, column: str | None) -> Reading:
        """Return the time from which a row holds: always, where the cell is empty or cannot be read."""
        if column is None:
            return Reading(ALWAYS)
        reading = self.time("valid_from", column)
        is_empty = f"coalesce({means_nobody_sql(trimmed_sql(f'CAST({quote_identifier(column)} AS VARCHAR)'))}, true)"
        problem = f"CASE WHEN NOT {is_empty} THEN {reading.problem} END"
        return Reading(f"coalesce({reading.value}, {ALWAYS})", problem)

    def attributes(self, columns: tuple[str, ...]) -> Reading:
        """Return a map of those attributes that are present."""
        values = {column: text_value(column, self.kind("attributes", column)) for column in columns}
        return Reading(_present_entries(values))


@dataclass(frozen=True)
class Layout:
    """Rows whose columns have the same names and types: they are mapped in the same way."""

    columns: SourceColumns  # as the mapping has asked for them
    relation: str


Ask = Callable[[SourceColumns], object]  # asks columns for all that a mapping needs, so that only these are read


def _present_entries(values: dict[str, str]) -> str:
    """Return SQL of a map of those values, by key, that are not null."""
    if not values:
        return "CAST(MAP {} AS MAP(VARCHAR, VARCHAR))"
    pairs = ", ".join(f"struct_pack(k := {quote_literal(key)}, v := {value})" for key, value in values.items())
    return f"map_from_entries(list_filter([{pairs}], lambda pair: pair.v IS NOT NULL))"


def map_events(source: EventSource, read: SourceColumns) -> Mapping:
    """Map a source of events."""
    columns = source.columns
    quantity = read.number("quantity", columns.quantity)
    price = read.total("price", columns.price)
    if columns.unit_price is not None:
        unit = read.number("unit_price", columns.unit_price)
        price = Reading(f"({unit.value}) * ({quantity.value})", unit.problem)
    readings = {
        "event_id": read.id("event_id", columns.event_id),
        "event_time": read.time("time", columns.time),
        "user_id": read.id("user", columns.user),
        "item_id": read.id("item", columns.item),
        "event_type": read.id("event_type", columns.event_type),
        "quantity": quantity,
        "price": price,
        "list_price": read.total("list_price", columns.list_price),
        "session_id": read.id("session", columns.session),
        "request_id": read.id("request", columns.request),
        "source": Reading(quote_literal(source.name)),
    }
    return Mapping(readings, read)


def map_impressions(source: ImpressionSource, read: SourceColumns) -> Mapping:
    """Map logged impressions."""
    readings = {
        "request_id": read.id("request", source.request),
        "event_time": read.time("time", source.time),
        "user_id": read.id("user", source.user),
        "bundle": read.text("bundle", None),
        "arm": read.text("arm", None),
        "context": read.text("context", None),
        "item_id": read.id("item", source.item),
        "position": _position(source, read),
        "score": read.number("score", source.score),
        "propensity": read.number("propensity", source.propensity),
        "features": _features(source, read),
        "feature_list": read.text("feature_list", source.feature_list),
    }
    return Mapping(readings, read)


def map_logged(table: str, columns: SourceColumns) -> Mapping:
    """Map what the service logged: its rows have the columns of the raw table, and an identity of their own."""
    names = [name for name in RAW[table].names if name not in ADDED]
    for name in names:
        columns.kind(name, name)
    return Mapping({name: Reading(name, "CAST(NULL AS VARCHAR)") for name in names}, columns, row_id="row_id")


def _position(source: ImpressionSource, columns: SourceColumns) -> Reading:
    """Return the position, from 1."""
    reading = _cast(columns.number("position", source.position), "INTEGER")
    return reading if source.first_position == 1 else Reading(f"({reading.value}) + 1", reading.problem)


def _features(source: ImpressionSource, read: SourceColumns) -> Reading:
    if source.features is None:
        return Reading("CAST(NULL AS FLOAT[])")
    read.kind("features", source.features)
    return Reading(f"TRY_CAST({quote_identifier(source.features)} AS FLOAT[])")


def _cast(reading: Reading, kind: str) -> Reading:
    return Reading(f"TRY_CAST({reading.value} AS {kind})", reading.problem)


def map_items(source: ItemSource, read: SourceColumns) -> Mapping:
    """Map the catalogue."""
    path = ", ".join(read.text("category", column).value for column in source.category)
    readings = {
        "item_id": read.id("item", source.item),
        "category": Reading(f"CAST([{path}] AS VARCHAR[])"),
        "brand": read.text("brand", source.brand),
        "price": read.number("price", source.price),
        "title": read.text("title", source.title),
        "attributes": read.attributes(source.attributes),
        "valid_from": read.valid_from(source.valid_from),
    }
    return Mapping(readings, read, _named(price=source.price, valid_from=source.valid_from))


def map_users(source: UserSource, read: SourceColumns) -> Mapping:
    """Map demographics."""
    readings = {
        "user_id": read.id("user", source.user),
        "attributes": read.attributes(source.attributes),
        "valid_from": read.valid_from(source.valid_from),
    }
    return Mapping(readings, read, _named(valid_from=source.valid_from))


def _named(**columns: str | None) -> dict[str, str]:
    return {canonical: column for canonical, column in columns.items() if column is not None}
