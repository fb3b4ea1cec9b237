"""From two sketches of one column to two arrays of counts in the same groups, always chosen by the reference."""

import math
from dataclasses import dataclass

import numpy as np

from components.drift.categorical import CategoricalSketch, KnownCategory
from components.drift.numeric import Ints, NumericSketch, coarsen, key_of

MOST_BINS = 10
MOST_CATEGORIES = 20
MOST_NAMED = 3
LEAST_EXPECTED = 20
"""Rows expected in the smaller sample per group: fewer, and the noise of PSI has heavier tails than chi-squared."""


@dataclass(frozen=True, eq=False)
class PairedCounts:
    """Counts per group, int64 of shape (groups,); ``labels`` names the groups that have a name."""

    reference: Ints
    live: Ints
    labels: tuple[str, ...] = ()

    @property
    def groups(self) -> int:
        """Groups that any row falls into."""
        return int(np.count_nonzero(self.reference + self.live))


def common_buckets(reference: NumericSketch, live: NumericSketch) -> tuple[Ints, PairedCounts]:
    """Return (codes, counts) of both sketches on the finest grid that both have; codes ascend."""
    shift = max(reference.shift, live.shift)
    (mine, my_counts), (theirs, their_counts) = coarsen(reference, shift), coarsen(live, shift)
    codes = np.union1d(mine, theirs)
    counts = np.zeros((2, len(codes)), np.int64)
    counts[0, np.searchsorted(codes, mine)] = my_counts
    counts[1, np.searchsorted(codes, theirs)] = their_counts
    return codes, PairedCounts(counts[0], counts[1])


def quantile_bins(buckets: PairedCounts, smaller: float) -> PairedCounts:
    """Join buckets into bins of equal reference share, with one overflow bin below and one above the reference.

    ``smaller`` is the effective size of the smaller sample: it decides how many of the ten bins can be distinguished.
    """
    wanted = int(np.clip(smaller // LEAST_EXPECTED, 2, MOST_BINS))
    occupied = np.flatnonzero(buckets.reference)
    if not len(occupied):
        return buckets
    cumulative = np.cumsum(buckets.reference)
    targets = cumulative[-1] * np.arange(1, wanted) / wanted
    ends = np.unique(np.concatenate([[occupied[0] - 1], np.searchsorted(cumulative, targets), [occupied[-1]]]))
    bins = np.searchsorted(ends, np.arange(len(cumulative)))
    return _joined(buckets, bins, len(ends) + 1)


def outside_share(reference: NumericSketch, live: NumericSketch) -> float:
    """Return the share of live values below the reference's minimum or above its maximum (0 without either)."""
    if reference.minimum is None or reference.maximum is None or not live.valid:
        return 0.0
    shift = max(reference.shift, live.shift)
    codes, counts = coarsen(live, shift)
    outside = (codes < key_of(reference.minimum) >> shift) | (codes > key_of(reference.maximum) >> shift)
    return float(counts[outside].sum() / live.valid)


def category_groups(reference: CategoricalSketch, live: CategoricalSketch, smaller: float) -> PairedCounts:
    """Join categories into the reference's largest ones and a rest, in which new categories fall.

    Categories are hash bins where either sketch no longer knows all of them by name.
    """
    if reference.named and live.named:
        order = sorted(reference.known, key=lambda key: (-reference.known[key].rows, key))
        mine = np.array([reference.known[key].rows for key in order] + [0], np.int64)
        theirs = np.array([_rows(live.known.get(key)) for key in order] + [0], np.int64)
        theirs[-1] = live.valid - theirs.sum()
        labels = tuple(str(reference.known[key].name) for key in order)
    else:
        largest = np.argsort(-reference.bins, kind="stable")
        mine, theirs, labels = reference.bins[largest], live.bins[largest], ()
    share = mine / max(int(mine.sum()), 1)
    kept = min(int(np.count_nonzero(share * smaller >= LEAST_EXPECTED)), MOST_CATEGORIES)
    if share[kept:].sum() * smaller < LEAST_EXPECTED:
        kept -= 1  # a rest too small to judge joins the smallest category kept
    kept = max(kept, 1)
    groups = np.minimum(np.arange(len(mine)), kept)
    return PairedCounts(*_sums(mine, theirs, groups, kept + 1), labels[:kept])


def largest_move(groups: PairedCounts) -> str:
    """Name the category whose share moved most, or nothing where categories have no names."""
    if not groups.labels:
        return ""
    before, after = (counts / max(int(counts.sum()), 1) for counts in (groups.reference, groups.live))
    place = int(np.abs(after - before)[: len(groups.labels)].argmax())
    return f"'{groups.labels[place]}' {before[place]:.1%} → {after[place]:.1%}"


def new_category_share(reference: CategoricalSketch, live: CategoricalSketch) -> float:
    """Return the share of live rows whose category the reference has not seen (an estimate once it is sampled)."""
    level = max(reference.level, live.level)
    known, seen = reference.known_at(level), live.known_at(level)
    rows = sum(category.rows for category in seen.values())
    return sum(category.rows for key, category in seen.items() if key not in known) / rows if rows else 0.0


def vanished_category_share(
    reference: CategoricalSketch, live: CategoricalSketch, smaller: float, alpha: float
) -> float:
    """Return the share of reference rows whose category the live rows lack, though chance would not leave it out.

    ``smaller`` is the effective size of the live sample. A category of share s stays out of so many rows with
    probability exp(-s * smaller); ``alpha`` is shared among all categories. Of sampled categories it is a lower bound.
    """
    gone = sum(category.rows for category in _vanished(reference, live, smaller, alpha))
    return gone / reference.valid if gone else 0.0


def largest_new(reference: CategoricalSketch, live: CategoricalSketch) -> str:
    """Name the largest categories that the reference has not seen, with their shares of the live rows."""
    level = max(reference.level, live.level)
    known, seen = reference.known_at(level), live.known_at(level)
    return _named([category for key, category in seen.items() if key not in known], live.valid)


def largest_vanished(reference: CategoricalSketch, live: CategoricalSketch, smaller: float, alpha: float) -> str:
    """Name the largest categories that vanished, with their shares of the reference rows."""
    return _named(_vanished(reference, live, smaller, alpha), reference.valid)


def unseen_share(reference: CategoricalSketch, deviations: float) -> float:
    """Return the share of further rows of the same population that a sketch may not know, in 0..1.

    It is the upper bound, so many standard deviations above its estimate from the categories seen once and twice:
    Good & Turing (1953), with the variance of Esty, Annals of Statistics 11(3) (1983).
    """
    seen = np.array([category.rows for category in reference.known.values()], np.int64)
    if not len(seen):
        return 1.0
    once, twice = int(np.count_nonzero(seen == 1)), int(np.count_nonzero(seen == 2))
    return min(1.0, (once + 1 + deviations * math.sqrt(once + 2 * twice + 1)) / int(seen.sum()))


def _vanished(
    reference: CategoricalSketch, live: CategoricalSketch, smaller: float, alpha: float
) -> list[KnownCategory]:
    level = max(reference.level, live.level)
    known, seen = reference.known_at(level), live.known_at(level)
    if not known:
        return []
    minimum = math.log((len(reference.known) << reference.level) / alpha) / max(smaller, 1.0) * reference.valid
    return [category for key, category in known.items() if key not in seen and category.rows >= minimum]


def _named(categories: list[KnownCategory], rows: int) -> str:
    """Name the largest few categories and their shares; nothing where they have no names."""
    largest = sorted(categories, key=lambda category: (-category.rows, category.name or ""))[:MOST_NAMED]
    words = [f"'{category.name}' {category.rows / rows:.1%}" for category in largest if category.name is not None]
    more = len(categories) - len(largest)
    return ", ".join([*words, f"{more} more"] if words and more else words)


def _joined(counts: PairedCounts, groups: Ints, size: int) -> PairedCounts:
    return PairedCounts(*_sums(counts.reference, counts.live, groups, size))


def _sums(mine: Ints, theirs: Ints, groups: Ints, size: int) -> tuple[Ints, Ints]:
    sums = np.zeros((2, size), np.int64)
    np.add.at(sums[0], groups, mine)
    np.add.at(sums[1], groups, theirs)
    return sums[0], sums[1]


def _rows(category: KnownCategory | None) -> int:
    return category.rows if category is not None else 0
