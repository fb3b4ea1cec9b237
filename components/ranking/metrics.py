"""Ranking metrics per request, vectorised over all requests at once.

A row is a candidate of a request; a row is relevant when its label is positive (gain is binary). A list is a request's
``k`` best rows by score. **Ties are broken by row order**, and rows come sorted by item position: that is how serving
orders equal scores, so the metric measures the list that a user would see, and never depends on the caller's luck.
A NaN score ranks below every number.

``relevant`` counts all distinct relevant items of a request, also those that are not among its candidates: a metric
never rewards a candidate generator for what it left out. A request with nothing relevant has no NDCG, MAP or recall
(NaN). Definitions: Järvelin & Kekäläinen (2002) for NDCG, with the ideal over ``min(k, relevant)``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.ranking.grouping import falling_keys

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]
NO_ROW = -1
KEY_BITS, SCORE_BITS = 64, 32


@dataclass(frozen=True)
class Lists:
    """The top-k lists of some requests.

    ``rows`` is int64 [requests, k]: row indices in rank order, -1 beyond a short list's end. ``hits`` is bool
    [requests, k]: whether that row is relevant. ``relevant`` is int64 [requests].
    """

    rows: NDArray[np.int64]
    hits: NDArray[np.bool_]
    relevant: NDArray[np.int64]

    @property
    def k(self) -> int:
        """Length of a full list."""
        return self.rows.shape[1]


def top_rows(request: Integers, scores: NDArray[np.floating], requests: int, k: int) -> NDArray[np.int64]:
    """Return the ``k`` best rows of each request: int64 [requests, k], -1 beyond a short list's end.

    ``request`` (ascending) and ``scores`` (compared as float32, as rankers give them) have one value a row.
    """
    sizes = np.bincount(request, minlength=requests)
    starts = np.cumsum(sizes) - sizes
    place_bits = int(sizes.max(initial=1)).bit_length()
    at_once = 1 << (KEY_BITS - SCORE_BITS - place_bits)
    rows = np.full((requests, k), NO_ROW, dtype=np.int64)
    for first in range(0, requests, at_once):
        some = slice(first, first + at_once)
        begin, end = starts[some][0], starts[some][-1] + sizes[some][-1]
        best = starts[some, None] + _top_places(scores[begin:end], sizes[some], k, place_bits)
        np.copyto(rows[some], best, where=np.arange(k) < sizes[some, None])
    return rows


def _top_places(scores: NDArray[np.floating], sizes: NDArray[np.int64], k: int, place_bits: int) -> NDArray[np.int64]:
    """Places within their request of each request's best rows: int64 [requests, k], undefined beyond a list's end.

    One sort of integers that hold request, falling score and place; steps reuse memory, as fresh pages cost the most.
    """
    starts = (np.cumsum(sizes) - sizes).astype(np.uint64)
    request = np.arange(len(sizes), dtype=np.uint64) << np.uint64(place_bits + SCORE_BITS)
    keys = falling_keys(scores).astype(np.uint64)
    keys <<= np.uint64(place_bits)
    keys += np.repeat(request - starts, sizes)  # modulo 2^64: with the row number it is request and place
    keys += np.arange(len(keys), dtype=np.uint64)
    keys.sort()
    shown = np.minimum(starts[:, None].astype(np.int64) + np.arange(k), max(len(keys) - 1, 0))
    places = keys[shown] if len(keys) else np.zeros(shown.shape, dtype=np.uint64)
    return (places & np.uint64((1 << place_bits) - 1)).astype(np.int64)


def ranked_lists(
    request: Integers, scores: NDArray[np.floating], labels: NDArray[np.floating], relevant: Integers, k: int
) -> Lists:
    """Rank every request's rows: ``request``, ``scores`` and ``labels`` by row, ``relevant`` by request."""
    rows = top_rows(request, scores, len(relevant), k)
    hits = (np.append(labels, 0) > 0)[rows]
    return Lists(rows, hits, relevant.astype(np.int64))


def ndcg(lists: Lists) -> Floats:
    """Normalised discounted cumulative gain at k of each request; NaN where nothing is relevant."""
    discounts = 1 / np.log2(np.arange(2, lists.k + 2))
    ideal = np.concatenate([[np.nan], np.cumsum(discounts)])
    return np.asarray(lists.hits @ discounts / ideal[np.minimum(lists.relevant, lists.k)])


def average_precision(lists: Lists) -> Floats:
    """Average precision at k of each request, over ``min(k, relevant)``; its mean is MAP@k."""
    precision_at = np.cumsum(lists.hits, axis=1) / np.arange(1, lists.k + 1)
    return _ratio((precision_at * lists.hits).sum(axis=1), np.minimum(lists.relevant, lists.k))


def hit(lists: Lists) -> Floats:
    """Return whether each request's list holds anything relevant, as 0 or 1; its mean is the hit rate."""
    return np.asarray(lists.hits.any(axis=1), dtype=np.float64)


def recall(lists: Lists) -> Floats:
    """Share of each request's relevant items that its list holds."""
    return _ratio(lists.hits.sum(axis=1), lists.relevant)


def precision(lists: Lists) -> Floats:
    """Relevant items of each request's list over k; a short list counts its empty places as misses."""
    return np.asarray(lists.hits.sum(axis=1) / lists.k)


def catalogue_coverage(lists: Lists, items: Integers, belongs: NDArray[np.bool_], catalogue: int) -> float:
    """Share of a catalogue that appears in any list; ``items`` is each row's item, as a number from 0.

    ``belongs`` [items] says which of these are of the catalogue; all of it, ``catalogue`` items, need not be.
    """
    shown = lists.rows[lists.rows != NO_ROW]
    return int(belongs[np.unique(items[shown])].sum()) / catalogue if catalogue else 0.0


def novelty(lists: Lists, items: Integers, popularity: Floats) -> float:
    """Mean of -log2 of the popularity share of the listed items, in bits; NaN without any list.

    ``popularity`` [items] holds each item's count; shares are smoothed by one so that an unseen item stays finite.
    Source: Zhou et al. (2010), self-information.
    """
    shown = lists.rows[lists.rows != NO_ROW]
    share = (popularity + 1) / (popularity.sum() + len(popularity))
    return float(-np.log2(share[items[shown]]).mean()) if len(shown) else float("nan")


def random_ndcg(request: Integers, labels: NDArray[np.floating], relevant: Integers, k: int) -> Floats:
    """Return the expected NDCG@k of each request under a uniformly random order of its rows, in closed form."""
    sizes = np.bincount(request, minlength=len(relevant))
    positives = np.bincount(request, weights=labels > 0, minlength=len(relevant))
    gains = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    ideal = np.where(relevant > 0, gains[np.minimum(relevant, k)], np.nan)
    return _ratio(positives, sizes) * gains[np.minimum(sizes, k)] / ideal


def _ratio(numerator: NDArray[np.generic], denominator: NDArray[np.integer]) -> Floats:
    return np.divide(numerator, denominator, out=np.full(len(denominator), np.nan), where=denominator > 0)
