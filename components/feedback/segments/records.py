"""The records of the log and their lines: one JSON object each, in which float32 numbers stay exact."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from numpy.typing import NDArray

from components.contracts.feedback import SERVED, SERVED_EVENTS

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

WRITING = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
LARGEST_LINE = 64 * 2**20  # what a reader takes in at once


@dataclass(frozen=True)
class ServedList:
    """One answered request; a row of ``SERVED``. Not-a-number is written as null and read as not-a-number again."""

    request_id: str
    event_time: datetime  # by the home's clock
    logged_at: datetime  # by the machine's clock
    user_id: str
    bundle: str
    arm: str
    item_ids: Sequence[str]
    scores: Float32
    propensities: Float64
    features: Float32  # (items, features), or flat: item after item
    feature_list: str
    experiment: str | None = None
    fallback: str | None = None
    context: str | None = None
    shadow_arm: str | None = None
    shadow_item_ids: Sequence[str] | None = None
    shadow_scores: Float32 | None = None


@dataclass(frozen=True)
class ServedEvent:
    """One event that came back; a row of ``SERVED_EVENTS``."""

    event_id: str
    event_time: datetime  # by the home's clock
    received_at: datetime  # by the machine's clock
    event_type: str  # one of SERVED_TYPES
    user_id: str
    item_id: str
    quantity: float | None = None
    price: float | None = None
    session_id: str | None = None
    request_id: str | None = None
    taken_at: datetime | None = None  # by the home's clock


def list_line(served: ServedList) -> bytes:
    """Write a list as a line."""
    return orjson.dumps(vars(served) | {"features": np.ravel(served.features)}, default=_plain, option=WRITING)


def event_line(event: ServedEvent) -> bytes:
    """Write an event as a line."""
    return orjson.dumps(vars(event), option=WRITING)


def _plain(value: Any) -> Any:
    """Convert what orjson does not write itself: an array whose numbers do not lie side by side."""
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value) if not value.flags.c_contiguous else value.tolist()
    raise TypeError(f"a journal line cannot hold {type(value)}")


def read_lists(lines: bytes) -> pa.Table:
    """Read whole lines of lists, as ``SERVED``; a line that is not whole JSON is passed over."""
    rows = _read(lines, SERVED)
    for column in ("scores", "features", "shadow_scores"):
        index = SERVED.get_field_index(column)
        rows = rows.set_column(index, SERVED.field(column), _with_nan(rows[column].combine_chunks()))
    return rows


def read_events(lines: bytes, columns: Sequence[str] = SERVED_EVENTS.names) -> pa.Table:
    """Read complete lines of events, as columns of ``SERVED_EVENTS``; skip lines that are not complete JSON."""
    return _read(lines, pa.schema([SERVED_EVENTS.field(name) for name in columns]))


def _read(lines: bytes, schema: pa.Schema) -> pa.Table:
    """Read lines; where a power cut tore some, read each half by itself, down to the torn ones."""
    if not lines:
        return schema.empty_table()
    try:
        return _parse(lines, schema)
    except pa.ArrowInvalid:
        halves = _halves(lines)
        return pa.concat_tables([schema.empty_table(), *(_read(half, schema) for half in halves)])


def _halves(lines: bytes) -> Sequence[bytes]:
    """Split lines in about the middle; nothing of a single line."""
    middle = lines.rfind(b"\n", 0, max(len(lines) // 2, 1)) + 1 or lines.find(b"\n", 0, -1) + 1
    return (lines[:middle], lines[middle:]) if middle else ()


def _parse(lines: bytes, schema: pa.Schema) -> pa.Table:
    parsing = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    reading = pj.ReadOptions(use_threads=False, block_size=min(max(len(lines), 1), LARGEST_LINE))
    return pj.read_json(pa.BufferReader(lines), parse_options=parsing, read_options=reading)


def _with_nan(lists: pa.ListArray) -> pa.ListArray:
    values = pc.fill_null(lists.values, np.float32("nan"))
    return pa.ListArray.from_arrays(lists.offsets, values, mask=lists.is_null())
