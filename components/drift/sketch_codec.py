"""Sketches as JSON bytes: small, and the same bytes for the same sketches on every machine.

The bytes lie in a content-addressed bundle, so they hold nothing but numbers and category names: sorted keys, no
spaces, no times, no identifiers. Bucket codes are written as gaps in units of their greatest common power of two.
"""

import json
from base64 import b64decode, b64encode
from types import MappingProxyType
from typing import Any

import numpy as np

from components.contracts.errors import BundleError
from components.drift.categorical import BIN_COUNT, CategoricalSketch, KnownCategory, stable_hash
from components.drift.numeric import Ints, NumericSketch
from components.drift.sketches import ColumnSketch, Sketches, TableSketch
from components.drift.units import REGISTER_COUNT, UnitCounter

FORMAT = 1

Document = dict[str, Any]


def sketches_to_json(sketches: Sketches) -> bytes:
    """Return the canonical JSON bytes of sketches."""
    document = {"format": FORMAT, "tables": {name: _table(table) for name, table in sketches.tables.items()}}
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sketches_from_json(data: bytes) -> Sketches:
    """Read sketches back; raise ``BundleError`` for bytes that are not sketches of this format."""
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise BundleError(f"reference sketches of format {document['format']}; expected {FORMAT}: train again")
        return Sketches({name: _read_table(table) for name, table in document["tables"].items()})
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise BundleError(f"reference sketches cannot be read ({error}); the bundle is damaged: train again") from error


def _table(table: TableSketch) -> Document:
    units = None if table.units is None else b64encode(table.units.registers.tobytes()).decode()
    return {
        "rows": table.rows,
        "units": units,
        "columns": {name: _column(sketch) for name, sketch in table.columns.items()},
    }


def _read_table(document: Document) -> TableSketch:
    units = None
    if document["units"] is not None:
        registers = np.frombuffer(b64decode(document["units"], validate=True), np.uint8)
        units = UnitCounter(_of_length(registers, REGISTER_COUNT))
    columns = {name: _read_column(column) for name, column in document["columns"].items()}
    return TableSketch(int(document["rows"]), columns, units)


def _column(sketch: ColumnSketch) -> Document:
    return _numeric(sketch) if isinstance(sketch, NumericSketch) else _categorical(sketch)


def _read_column(document: Document) -> ColumnSketch:
    return _read_numeric(document) if document["kind"] == "numeric" else _read_categorical(document)


def _numeric(sketch: NumericSketch) -> Document:
    common = int(np.bitwise_or.reduce(sketch.codes)) if len(sketch.codes) else 0
    step = (common & -common).bit_length() - 1 if common else 0
    codes = sketch.codes >> step
    return {
        "kind": "numeric",
        "rows": sketch.rows,
        "missing": sketch.missing,
        "zeros": sketch.zeros,
        "minimum": sketch.minimum,
        "maximum": sketch.maximum,
        "shift": sketch.shift,
        "step": step,
        "gaps": np.diff(codes, prepend=np.int64(0)).tolist(),
        "counts": sketch.counts.tolist(),
    }


def _read_numeric(document: Document) -> NumericSketch:
    counts = np.array(document["counts"], np.int64)
    gaps: Ints = _of_length(np.array(document["gaps"], np.int64), len(counts))
    return NumericSketch(
        rows=int(document["rows"]),
        missing=int(document["missing"]),
        zeros=int(document["zeros"]),
        minimum=document["minimum"],
        maximum=document["maximum"],
        shift=int(document["shift"]),
        codes=np.cumsum(gaps) << int(document["step"]),
        counts=counts,
    )


def _categorical(sketch: CategoricalSketch) -> Document:
    return {
        "kind": "categorical",
        "rows": sketch.rows,
        "missing": sketch.missing,
        "level": sketch.level,
        "known": {_label(key, category): category.rows for key, category in sketch.known.items()},
        "bins": None if sketch.named else sketch.bins.tolist(),
    }


def _label(key: int, category: KnownCategory) -> str:
    return f"{key:016x}" if category.name is None else category.name


def _read_categorical(document: Document) -> CategoricalSketch:
    level = int(document["level"])
    known: dict[int, KnownCategory] = {}
    for text, rows in document["known"].items():
        known[int(text, 16) if level else stable_hash(text)] = KnownCategory(None if level else text, int(rows))
    if level:
        bins = _of_length(np.array(document["bins"], np.int64), BIN_COUNT)
    else:
        bins = np.zeros(BIN_COUNT, np.int64)
        for key, category in known.items():
            bins[key % BIN_COUNT] += category.rows
    return CategoricalSketch(int(document["rows"]), int(document["missing"]), level, bins, MappingProxyType(known))


def _of_length(array: np.ndarray[Any, Any], length: int) -> np.ndarray[Any, Any]:
    if len(array) != length:
        raise ValueError(f"{len(array)} numbers where {length} belong")
    return array
