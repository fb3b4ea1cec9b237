"""Read what steps recorded as the types of ``contracts/steps/facts.py``, with gaps: failed runs have reports, too.

What an older run recorded otherwise is left out: a field of another type, and what cannot do without it::

    {"rows": 3, "users": "many"}   ->   EventFacts needs ``users``, so there is none
    {"new": {}, "days": 7}         ->   ValidationFacts(new={}), for ``days`` has a default
"""

from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from components.home.runs.step_records import StepRecord

Facts = TypeVar("Facts")


def step_facts(records: Mapping[str, StepRecord], step: str, kind: type[Facts]) -> Facts | None:
    """Return the facts of a step; None when it did not run, or recorded too little."""
    return read_facts(kind, records[step].facts) if step in records else None


def read_facts(kind: type[Facts], document: object) -> Facts | None:
    """Read a JSON document as an object of a type, without what is wrong; None when too little is left."""
    adapter: TypeAdapter[Facts] = _adapter(cast(Hashable, kind))
    remaining = from_json(to_json(document, inf_nan_mode="null"))  # a copy of our own
    while remaining:
        try:
            return adapter.validate_python(remaining)
        except ValidationError as error:
            if not _remove(remaining, error.errors(include_url=False)[0]["loc"]):
                return None
    return None


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, kind))


def _remove(document: Any, place: tuple[int | str, ...]) -> bool:
    """Remove what lies at a place; if a field is missing there, remove what needs it. False: it is the document."""
    holder, key = None, None
    for part in place:
        is_there = part in document if isinstance(document, dict) else isinstance(document, list)
        if not is_there:
            break
        holder, key, document = document, part, document[part]
    if holder is not None:
        del holder[key]
    return holder is not None
