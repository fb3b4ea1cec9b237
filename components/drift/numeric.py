"""The sketch of a numeric column: a histogram on a grid that every sketch shares.

The grid is the floating-point format itself. A 64-bit float, read as an integer in sign-magnitude order, becomes a
key; dropping the key's lowest ``shift`` bits gives a bucket: logarithmic over octaves, linear within one. A sketch
starts at full precision and drops bits only while it has more than ``BUCKET_LIMIT`` occupied buckets. As adding
values never empties a bucket, the final shift is a function of the *set* of values: the sketch does not depend on
the order of rows or of merges, and merging is exact. Columns of few distinct values (counts, flags, grades) stay exact.

Grids of different shifts nest, so a live window needs no edges from its reference: both are coarsened to the larger
shift and counted in the same buckets, in any order.

Source: uniform collapse of a logarithmic histogram, Epicoco, Melle, Cafaro & Pulimeno, "UDDSketch: Accurate Tracking
of Quantiles in Data Streams" (2020), arXiv:2004.08604; the float-bit buckets are those of HdrHistogram.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BUCKET_LIMIT = 512
"""Most buckets that a sketch occupies; for a normal column, about 3 to 6 % of a value's size each."""
_MAGNITUDE = np.int64(0x7FFF_FFFF_FFFF_FFFF)
_DENSE_SPAN = 1 << 18
_PROBE_ROWS = 2048


@dataclass(frozen=True, eq=False)
class NumericSketch:
    """Counts of one numeric column; NaN, null and infinite values count as missing.

    ``codes`` (ascending) and ``counts`` are int64 arrays of equal length, at most ``BUCKET_LIMIT``.
    """

    rows: int
    missing: int
    zeros: int
    minimum: float | None
    maximum: float | None
    shift: int
    codes: Ints
    counts: Ints

    @property
    def valid(self) -> int:
        """Return rows that hold a number."""
        return self.rows - self.missing

    def merge(self, other: "NumericSketch") -> "NumericSketch":
        """Return the sketch of both parts' rows; equal to sketching them together."""
        shift = max(self.shift, other.shift)
        mine, theirs = coarsen(self, shift), coarsen(other, shift)
        codes, counts = _add_up(np.concatenate([mine[0], theirs[0]]), np.concatenate([mine[1], theirs[1]]))
        shift, codes, counts = _collapse(shift, codes, counts)
        return NumericSketch(
            rows=self.rows + other.rows,
            missing=self.missing + other.missing,
            zeros=self.zeros + other.zeros,
            minimum=min((v for v in (self.minimum, other.minimum) if v is not None), default=None),
            maximum=max((v for v in (self.maximum, other.maximum) if v is not None), default=None),
            shift=shift,
            codes=codes,
            counts=counts,
        )

    def bucket_values(self) -> Floats:
        """Return one value per bucket: the middle of the part that can be occupied (exact at shift 0)."""
        if self.minimum is None or self.maximum is None:
            return np.empty(0)
        low, high = _keys(np.array([self.minimum, self.maximum]))
        first = np.clip(self.codes << self.shift, low, high)
        last = np.clip((self.codes << self.shift) + ((1 << self.shift) - 1), low, high)
        start, end = _values(first), _values(last)
        return np.asarray(start + (end - start) / 2)

    def quantile(self, share: float) -> float | None:
        """Return the value below which ``share`` of the valid rows lie, to the width of a bucket."""
        if not self.valid:
            return None
        at = int(np.searchsorted(np.cumsum(self.counts), share * self.valid))
        return float(self.bucket_values()[min(at, len(self.codes) - 1)])


def empty_numeric(rows: int = 0) -> NumericSketch:
    """Return the sketch of ``rows`` missing values."""
    nothing = np.empty(0, np.int64)
    return NumericSketch(rows, rows, 0, None, None, 0, nothing, nothing)


def sketch_numbers(values: Floats, shift: int = 0) -> NumericSketch:
    """Sketch a float64 array of shape (rows,).

    ``shift`` may be that of a sketch of other rows of the same column with which this one will be merged: it spares
    work and leaves the merged result the same.
    """
    finite = np.isfinite(values)
    present = values if finite.all() else values[finite]
    if not len(present):
        return empty_numeric(len(values))
    keys = _keys(present)
    if len(keys) > _PROBE_ROWS:
        shift = _collapse(shift, *_add_up(keys[:_PROBE_ROWS] >> shift, None))[0]
    shift, codes, counts = _collapse(shift, *_count(keys, shift))
    return NumericSketch(
        rows=len(values),
        missing=len(values) - len(present),
        zeros=int(len(present) - np.count_nonzero(present)),
        minimum=float(present.min()) + 0.0,  # + 0.0 makes a negative zero positive
        maximum=float(present.max()) + 0.0,
        shift=shift,
        codes=codes,
        counts=counts,
    )


def coarsen(sketch: NumericSketch, shift: int) -> tuple[Ints, Ints]:
    """Return a sketch's buckets at a shift not smaller than its own, as (codes, counts)."""
    if shift == sketch.shift:
        return sketch.codes, sketch.counts
    return _add_up(sketch.codes >> (shift - sketch.shift), sketch.counts)


def key_of(value: float) -> int:
    """Return the grid key of one finite number (its bucket at shift ``s`` is ``key >> s``)."""
    return int(_keys(np.array([value]))[0])


def _keys(values: Floats) -> Ints:
    """Map finite floats to int64 keys of the same order; both zeros have key 0."""
    bits = np.ascontiguousarray(values).view(np.int64)
    sign = bits >> 63
    keys = bits & _MAGNITUDE
    keys ^= sign
    keys -= sign
    return keys


def _values(keys: Ints) -> Floats:
    """Map keys back to their floats."""
    return np.copysign(np.abs(keys).view(np.float64), np.where(keys < 0, -1.0, 1.0))


def _count(keys: Ints, shift: int) -> tuple[Ints, Ints]:
    """Count keys per bucket: by position where the occupied span is short, by sorting where it is not."""
    common = int(np.bitwise_or.reduce(keys))
    idle = max(shift, (common & -common).bit_length() - 1 if common else 63)  # low bits that no key uses
    codes = keys >> idle
    low = int(codes.min())
    span = int(codes.max()) - low + 1
    if span > _DENSE_SPAN:
        return _add_up(keys >> shift, None)
    codes -= low
    dense = np.bincount(codes, minlength=span)
    occupied = np.flatnonzero(dense)
    return (occupied + low) << (idle - shift), dense[occupied]


def _add_up(codes: Ints, counts: Ints | None) -> tuple[Ints, Ints]:
    """Sum the counts of equal codes (each counts once without ``counts``); ascending codes."""
    if not len(codes):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if counts is None:
        unique, sums = np.unique(codes, return_counts=True)
        return unique, sums.astype(np.int64)
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    return codes[starts], np.add.reduceat(counts[order], starts)


def _collapse(shift: int, codes: Ints, counts: Ints) -> tuple[int, Ints, Ints]:
    """Drop one bit at a time until at most ``BUCKET_LIMIT`` buckets are occupied."""
    while len(codes) > BUCKET_LIMIT:
        shift += 1
        codes, counts = _add_up(codes >> 1, counts)
    return shift, codes, counts
