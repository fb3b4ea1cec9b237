"""Read what steps recorded, whatever is missing: a report is also written after a failure."""

import math
from collections.abc import Mapping
from typing import Any

from components.home.runs.step_records import StepRecord


class Facts:
    """A JSON object whose keys may be absent or of another type; every reader then says None or empty."""

    def __init__(self, found: object = None) -> None:
        self.found: Mapping[str, Any] = found if isinstance(found, Mapping) else {}

    def __bool__(self) -> bool:
        return bool(self.found)

    def __contains__(self, key: str) -> bool:
        return key in self.found

    def number(self, *keys: str) -> float | None:
        """Return the first of the keys that holds a finite number."""
        return next((value for key in keys if (value := as_number(self.found.get(key))) is not None), None)

    def count(self, *keys: str) -> int | None:
        """Return the first of the keys that holds a number, as an integer."""
        value = self.number(*keys)
        return None if value is None else int(value)

    def text(self, *keys: str) -> str | None:
        """Return the first of the keys that holds a value, as text."""
        return next((str(self.found[key]) for key in keys if self.found.get(key) not in (None, "", [], {})), None)

    def flag(self, key: str) -> bool | None:
        """Return a truth value, or None when the key holds none."""
        value = self.found.get(key)
        return value if isinstance(value, bool) else None

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self.found.get(key)
        return tuple(str(each) for each in value if each is not None) if isinstance(value, list | tuple) else ()

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of numbers; what is not a number is left out."""
        value = self.found.get(key)
        numbers = (as_number(each) for each in value) if isinstance(value, list | tuple) else ()
        return tuple(each for each in numbers if each is not None)

    def child(self, key: str) -> "Facts":
        """Return an object within this one."""
        return Facts(self.found.get(key))

    def children(self, key: str, name: str = "name") -> tuple["Facts", ...]:
        """Return a list of objects; an object of objects counts as a list whose keys are put under ``name``."""
        value = self.found.get(key)
        if isinstance(value, Mapping):
            return tuple(Facts({name: each, **_object(inner)}) for each, inner in value.items())
        return tuple(Facts(each) for each in value) if isinstance(value, list | tuple) else ()

    def items(self) -> tuple[tuple[str, Any], ...]:
        """Return the keys and values."""
        return tuple((str(key), value) for key, value in self.found.items())


def facts_of(records: Mapping[str, StepRecord], step: str) -> Facts:
    """Return the facts of a step, empty when it did not run."""
    return Facts(records[step].facts) if step in records else Facts()


def as_number(value: object) -> float | None:
    """Return a finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {"rows": value}
