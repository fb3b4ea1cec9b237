"""The sketch of a categorical column: named counts while they are few, hashed shares when they are many.

Each category has a stable 64-bit hash (BLAKE2b of its UTF-8 text). Two things are kept:

- ``bins``: rows per hash bin, always, for any number of categories;
- ``known``: rows per category, for every category while there are at most ``CATEGORY_LIMIT``; past that, only for
  those whose hash ends in ``level`` zero bits, and by hash alone (a column of that many values is like an id: its
  names stay out of bundles).

The level rises only while too many categories are known, so it is a function of the *set* of categories: order of
rows and merges do not matter and merging is exact. The kept categories are a uniform sample of all categories, with
exact counts, so the share of rows whose category is new is estimated without bias from them.

Source of the sampled set: theta sketches, Dasgupta, Lang, Rhodes & Thaler (2016), arXiv:1510.01455.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.contracts.errors import FeatureError

CATEGORY_LIMIT = 1024
BIN_COUNT = 256


@dataclass(frozen=True)
class KnownCategory:
    """One category with an exact count; ``name`` is None once the column has too many categories."""

    name: str | None
    rows: int


@dataclass(frozen=True, eq=False)
class CategoricalSketch:
    """Counts of one categorical column; ``bins`` is int64 of shape (``BIN_COUNT``,), ``known`` is keyed by hash."""

    rows: int
    missing: int
    level: int
    bins: npt.NDArray[np.int64]
    known: Mapping[int, KnownCategory]

    @property
    def valid(self) -> int:
        """Return rows that hold a category."""
        return self.rows - self.missing

    @property
    def named(self) -> bool:
        """Return whether every category is known by name."""
        return self.level == 0

    def merge(self, other: "CategoricalSketch") -> "CategoricalSketch":
        """Return the sketch of both parts' rows; equal to sketching them together."""
        known = dict(self.known)
        for key, category in other.known.items():
            known[key] = KnownCategory(category.name, category.rows + (known[key].rows if key in known else 0))
        level, kept = _sample(max(self.level, other.level), known)
        return CategoricalSketch(
            rows=self.rows + other.rows,
            missing=self.missing + other.missing,
            level=level,
            bins=self.bins + other.bins,
            known=kept,
        )

    def known_at(self, level: int) -> Mapping[int, KnownCategory]:
        """Return the categories that are still known at a level not below the sketch's own."""
        return _sample(level, dict(self.known))[1] if level > self.level else self.known


def empty_categorical(rows: int = 0) -> CategoricalSketch:
    """Return the sketch of ``rows`` missing values."""
    return CategoricalSketch(rows, rows, 0, np.zeros(BIN_COUNT, np.int64), MappingProxyType({}))


def sketch_categories(column: pa.Array) -> CategoricalSketch:
    """Sketch an Arrow array of strings, booleans, integers or a dictionary of them; each batch is counted once."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    names = _names(encoded.dictionary)
    indices = encoded.indices.drop_null().to_numpy(zero_copy_only=False)
    counts = np.bincount(indices.astype(np.int64, copy=False), minlength=len(names))
    known: dict[int, KnownCategory] = {}
    bins = np.zeros(BIN_COUNT, np.int64)
    valid = 0
    for position in np.flatnonzero(counts):
        name, rows = names[position], int(counts[position])
        if name is None:
            continue
        key = stable_hash(name)
        bins[key % BIN_COUNT] += rows
        valid += rows
        known[key] = KnownCategory(name, rows + (known[key].rows if key in known else 0))
    level, kept = _sample(0, known)
    return CategoricalSketch(len(column), len(column) - valid, level, bins, kept)


def stable_hash(name: str) -> int:
    """Return the same 64 bits for a category on every machine and in every process."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


def _names(dictionary: pa.Array) -> list[str | None]:
    try:
        names: list[str | None] = dictionary.cast(pa.string()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise FeatureError(f"a column of type {dictionary.type} cannot be read as categories; expected text") from error
    return names


def _sample(level: int, known: dict[int, KnownCategory]) -> tuple[int, Mapping[int, KnownCategory]]:
    """Raise the level until the known categories fit; forget names from the first rise on."""
    kept = {key: category for key, category in known.items() if _is_sampled(key, level)}
    while len(kept) > CATEGORY_LIMIT:
        level += 1
        kept = {key: category for key, category in kept.items() if _is_sampled(key, level)}
    if level:
        kept = {key: KnownCategory(None, category.rows) for key, category in kept.items()}
    return level, MappingProxyType(kept)


def _is_sampled(key: int, level: int) -> bool:
    return (key >> 8) % (1 << level) == 0  # the lowest eight bits choose the bin
