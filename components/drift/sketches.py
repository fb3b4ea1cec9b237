"""Sketches of whole tables, built from a stream of batches in constant memory.

::

    batches ──sketch_table──▶ TableSketch ──┐
    batches ──sketch_table──▶ TableSketch ──┴─merge─▶ TableSketch      (equal to sketching all rows at once)
    Sketches({"features": …, "predictions": …}) ◀──sketch_codec──▶ JSON bytes in the bundle
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from components.contracts.errors import FeatureError
from components.drift.categorical import CategoricalSketch, empty_categorical, sketch_categories
from components.drift.kinds import ColumnKind, refuse_identifiers
from components.drift.numeric import Floats, NumericSketch, empty_numeric, sketch_numbers
from components.drift.units import UnitCounter, count_units, no_units

ColumnSketch = NumericSketch | CategoricalSketch
BATCH_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class TableSketch:
    """The sketches of one table's watched columns; ``units`` counts the users or requests behind its rows."""

    rows: int
    columns: Mapping[str, ColumnSketch]
    units: UnitCounter | None = None

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        """Return the watched columns with their kinds, with which a live window is sketched."""
        return {name: sketch_kind(sketch) for name, sketch in self.columns.items()}

    @property
    def design_effect(self) -> float:
        """Return rows per unit, at least 1; 1 where no unit was named."""
        units = self.units.estimate() if self.units is not None else 0
        return max(1.0, self.rows / units) if units else 1.0

    def merge(self, other: "TableSketch") -> "TableSketch":
        """Return the sketch of both parts' rows; raise ``FeatureError`` where their columns differ."""
        if self.kinds != other.kinds or (self.units is None) != (other.units is None):
            raise FeatureError(
                f"sketches of different columns cannot be merged: {sorted(self.kinds.items())} and "
                f"{sorted(other.kinds.items())}; sketch both parts with the same columns and unit"
            )
        return TableSketch(
            rows=self.rows + other.rows,
            columns={name: _merged(sketch, other.columns[name]) for name, sketch in self.columns.items()},
            units=self.units.merge(other.units) if self.units is not None and other.units is not None else None,
        )


@dataclass(frozen=True, eq=False)
class Sketches:
    """The sketches of several tables by name (``features``, ``predictions``, ``data``)."""

    tables: Mapping[str, TableSketch]

    def merge(self, other: "Sketches") -> "Sketches":
        """Return the sketches of both parts; a table of only one part is unchanged."""
        tables = dict(self.tables)
        for name, table in other.tables.items():
            tables[name] = tables[name].merge(table) if name in tables else table
        return Sketches(tables)


def sketch_table(
    batches: Iterable[pa.RecordBatch], columns: Mapping[str, ColumnKind], unit: str | None = None
) -> TableSketch:
    """Sketch the named columns of a stream of record batches, one batch in memory at a time.

    ``columns`` comes from ``column_kinds(schema)`` for a reference and from ``TableSketch.kinds`` for a live window.
    ``unit`` names the column (user or request) within which rows depend on each other; only the number of its
    distinct values is kept. Raises ``FeatureError`` for identifier columns, absent columns and unreadable types.
    """
    refuse_identifiers(columns)
    rows = 0
    sketches = {name: _empty(kind) for name, kind in columns.items()}
    units = no_units()
    for batch in _pieces(batches):
        _check_columns(batch.schema, [*columns, *([unit] if unit else [])])
        rows += batch.num_rows
        for name, sketch in sketches.items():
            sketches[name] = _extended(name, sketch, batch.column(name))
        if unit:
            units = units.merge(count_units(batch.column(unit)))
    return TableSketch(rows, sketches, units if unit else None)


def sketch_kind(sketch: ColumnSketch) -> ColumnKind:
    """Return the kind of column that a sketch describes."""
    return ColumnKind.NUMERIC if isinstance(sketch, NumericSketch) else ColumnKind.CATEGORICAL


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Cut batches to at most ``BATCH_ROWS`` rows: arrays stay in the processor's cache, memory stays small."""
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield batch.slice(start, BATCH_ROWS)


def _extended(name: str, sketch: ColumnSketch, column: pa.Array) -> ColumnSketch:
    if isinstance(sketch, NumericSketch):
        return sketch.merge(sketch_numbers(_numbers(name, column), sketch.shift))
    return sketch.merge(sketch_categories(column))


def _numbers(name: str, column: pa.Array) -> Floats:
    """Return an Arrow array as float64, nulls as NaN."""
    try:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        return pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise FeatureError(
            f"column {name} is of type {column.type} but is watched as a number; give numbers, or leave it out"
        ) from error


def _empty(kind: ColumnKind) -> ColumnSketch:
    return empty_numeric() if kind is ColumnKind.NUMERIC else empty_categorical()


def _merged(mine: ColumnSketch, theirs: ColumnSketch) -> ColumnSketch:
    if isinstance(mine, NumericSketch) and isinstance(theirs, NumericSketch):
        return mine.merge(theirs)
    if isinstance(mine, CategoricalSketch) and isinstance(theirs, CategoricalSketch):
        return mine.merge(theirs)
    raise FeatureError("a numeric and a categorical sketch cannot be merged; sketch both parts with the same kinds")


def _check_columns(schema: pa.Schema, needed: list[str]) -> None:
    absent = [name for name in needed if name not in schema.names]
    if absent:
        raise FeatureError(f"drift sketches: the batch lacks {', '.join(absent)}; it has {', '.join(schema.names)}")
