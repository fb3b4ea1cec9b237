"""What is logged as lines of the journal: one JSON object each, in which float32 numbers survive to the bit."""

from typing import Any

import numpy as np
import orjson

from components.feedback.records import ServedEvent, ServedList

WRITING = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


def list_line(served: ServedList) -> bytes:
    """Write a list as a line."""
    return orjson.dumps(vars(served) | {"features": np.ravel(served.features)}, default=_plain, option=WRITING)


def event_line(event: ServedEvent) -> bytes:
    """Write an event as a line."""
    return orjson.dumps(vars(event), option=WRITING)


def _plain(value: Any) -> Any:
    """What orjson does not write itself: an array whose numbers do not lie side by side."""
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value) if not value.flags.c_contiguous else value.tolist()
    raise TypeError(f"a journal line cannot hold {type(value)}")
