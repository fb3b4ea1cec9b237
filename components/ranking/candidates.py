"""Candidate generation: a few hundred items a user that are worth ranking, from several sources.

Training, batch and serving call the same function on the same rows, so negatives are what serving would rank. To add a
source, write its function, a line in ``CANDIDATE_SOURCES``, and its limit in ``shop.settings.Candidates``.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.ranking.grouping import distinct_keys, ranks_within, sums_by_key, top_within
from components.ranking.pairs import Pairs, SourceBits, no_sources
from components.ranking.rows import Floats, ItemRows, Positions, Ragged, UserRows
from components.shop.settings import Candidates

CATEGORIES_PER_USER = 5
SEEDS_PER_USER = 30  # own items whose neighbours are looked at
NEW_WITHIN_DAYS = 28.0

Sourced = tuple[NDArray[np.int32], Positions]  # user indices and item positions, unordered


@dataclass(frozen=True)
class CandidatePool:
    """What the candidates of all users share: computed once for the items of a moment, and used for any users.

    ``allowed`` bool [items]: merchandise in stock. ``best``: positions of the same best items for everybody, by source.
    ``top_by_category``: the best-selling items of each category, as lists by its code; None when no item has one.
    """

    items: ItemRows
    limits: Candidates
    allowed: NDArray[np.bool_]
    best: dict[str, Positions]
    top_by_category: Ragged | None

    @cached_property
    def shared(self) -> tuple[Positions, SourceBits]:
        """Positions of the candidates of everybody, source by source, and the bit of the source of each."""
        bits = [np.full(len(best), bits_of([source])) for source, best in self.best.items()]
        return np.concatenate(list(self.best.values())), np.concatenate(bits)


def candidate_pool(items: ItemRows, limits: Candidates) -> CandidatePool:
    """Find what the candidates of all users share."""
    allowed = _allowed(items)
    best = {
        source.name: source.for_all(items, allowed, getattr(limits, source.name))
        for source in CANDIDATE_SOURCES
        if source.for_all is not None
    }
    return CandidatePool(items, limits, allowed, best, _top_by_category(items, allowed, limits.category))


def generate_candidates(users: UserRows, items: ItemRows, limits: Candidates) -> Pairs:
    """Collect each user's candidates from all sources; only merchandise in stock, each pair once."""
    return candidates_of(users, candidate_pool(items, limits))


def candidates_of(users: UserRows, pool: CandidatePool) -> Pairs:
    """As ``generate_candidates``, of items that were looked through before."""
    by_source = {
        source.name: source.for_each(users, pool, getattr(pool.limits, source.name))
        for source in CANDIDATE_SOURCES
        if source.for_each is not None
    }
    return _merge(users, by_source, pool)


def pairs_with(candidates: Pairs, keys: NDArray[np.int64], items: int) -> Pairs:
    """Add pairs to candidates: ``keys`` are user * items + item position; no source brings what is no candidate."""
    own = candidates.user.astype(np.int64) * items + candidates.item
    extra = np.setdiff1d(keys, own)
    every = np.r_[own, extra]
    order = np.argsort(every, kind="stable")
    sources = np.r_[candidates.sources, no_sources(len(extra))][order]
    return Pairs((every[order] // items).astype(np.int32), (every[order] % items).astype(np.int32), sources)


def _allowed(items: ItemRows) -> NDArray[np.bool_]:
    merchandise = items.columns["is_merchandise"] == 1
    return merchandise & (items.columns["in_stock"] != 0) if "in_stock" in items.columns else merchandise


def _is_new(items: ItemRows) -> NDArray[np.bool_]:
    return items.columns["days_since_first_sale"] <= NEW_WITHIN_DAYS


def _is_sold(items: ItemRows) -> NDArray[np.bool_]:
    """Return items of which more was sold than came back lately: nothing else can sell faster than before."""
    return items.columns["purchases_decay_7"] > 0


def _from_history(users: UserRows, pool: CandidatePool, limit: int) -> Sourced:
    """Return the user's own items, the strongest ones."""
    history = users.arrays["history_item"]
    keep = users.once(_own_ranks, pool.items) < limit
    return history.row[keep], history.values[keep].astype(np.int32)


def _own_ranks(users: UserRows, items: ItemRows) -> NDArray[np.int32]:
    """Ranks of the user's own items, the strongest first."""
    return ranks_within(users.arrays["history_item"].row, users.arrays["history_decay_112"].values)


def _from_seen(users: UserRows, pool: CandidatePool, limit: int) -> Sourced:
    """Return what the user looked at last."""
    if limit == 0 or "seen_item" not in users.arrays:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    seen = users.arrays["seen_item"]
    keep = top_within(seen.row, -users.arrays["seen_days_since_last"].values, limit)
    return seen.row[keep], seen.values[keep].astype(np.int32)


def _popular(items: ItemRows, allowed: NDArray[np.bool_], limit: int) -> Positions:
    return _best(items, "purchases_decay_28", limit, allowed)


def _trending(items: ItemRows, allowed: NDArray[np.bool_], limit: int) -> Positions:
    return _best(items, "trend", limit, allowed & _is_sold(items))


def _new(items: ItemRows, allowed: NDArray[np.bool_], limit: int) -> Positions:
    return _best(items, "purchases_decay_7", limit, allowed & _is_new(items))


def _promoted(items: ItemRows, allowed: NDArray[np.bool_], limit: int) -> Positions:
    return _best(items, "promotion_reach", limit, allowed)


def _best(items: ItemRows, column: str, limit: int, allowed: NDArray[np.bool_]) -> Positions:
    """Return the best items by one column; those without a positive value are left out."""
    values = items.columns.get(column)
    if values is None or limit == 0:
        return np.empty(0, np.int32)
    eligible = np.flatnonzero(allowed & (values > 0))
    return np.sort(eligible[np.argsort(-values[eligible], kind="stable")[:limit]]).astype(np.int32)


def _from_neighbours(users: UserRows, pool: CandidatePool, limit: int) -> Sourced:
    """Return items bought together with the user's own, by similarity weighted with the own items' decayed counts."""
    if limit == 0 or "neighbour_item" not in pool.items.arrays:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    user, item, weight = neighbour_weights(users, pool.items)
    keep = top_within(user, weight, limit)
    return user[keep], item[keep]


def neighbour_weights(users: UserRows, items: ItemRows) -> tuple[NDArray[np.int32], Positions, Floats]:
    """Weigh the neighbours of each user's strongest own items: user ascending, item ascending, float32 weight."""
    return users.once(_neighbour_weights, items)


def _neighbour_weights(users: UserRows, items: ItemRows) -> tuple[NDArray[np.int32], Positions, Floats]:
    history, strength = users.arrays["history_item"], users.arrays["history_decay_112"].values.astype(np.float32)
    seeds = np.flatnonzero(users.once(_own_ranks, items) < SEEDS_PER_USER)
    neighbours, similarity = items.neighbours
    entries, seed = _expand(neighbours, history.values.take(seeds))
    own = seeds.take(seed)
    keys = history.row.take(own).astype(np.int64) * len(items) + neighbours.values.take(entries)
    distinct, weight = sums_by_key(keys, similarity.take(entries) * strength.take(own))
    user, item = _split(distinct, len(items))
    return user, item, weight.astype(np.float32)


def _expand(ragged: Ragged, rows: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices into ``ragged.values`` of the given rows, one after another, and which of ``rows`` each comes from."""
    starts = ragged.offsets.take(rows)
    lengths = ragged.offsets.take(rows + 1) - starts
    ends = lengths.cumsum()
    which = np.arange(len(rows)).repeat(lengths)
    return (starts - ends + lengths).take(which) + np.arange(len(which)), which


def _from_categories(users: UserRows, pool: CandidatePool, limit: int) -> Sourced:
    """Return best sellers of the categories that the user buys most from; a category has at most ``limit`` of them."""
    top_by_category = pool.top_by_category
    if top_by_category is None:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    user, category = _favourite_categories(
        users, pool.items.columns["category"], width=len(top_by_category.offsets) - 1
    )
    entries, which = _expand(top_by_category, category)
    return user[which], top_by_category.values[entries].astype(np.int32)


def _favourite_categories(users: UserRows, codes: Floats, width: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    history = users.arrays["history_item"]
    code = codes.take(history.values)
    known = ~np.isnan(code)
    keys = history.row[known].astype(np.int64) * width + code[known].astype(np.int64)
    distinct, weight = sums_by_key(keys, users.arrays["history_decay_112"].values[known].astype(np.float32))
    user, category = _split(distinct, width)
    keep = top_within(user, weight, CATEGORIES_PER_USER)
    return user[keep], category[keep]


def _top_by_category(items: ItemRows, allowed: NDArray[np.bool_], limit: int) -> Ragged | None:
    """Return the best-selling items of each category, as lists by category code."""
    codes = items.columns.get("category")
    if limit == 0 or codes is None or np.isnan(codes).all():
        return None
    sold = items.columns["purchases_decay_7"]
    eligible = np.flatnonzero(allowed & ~np.isnan(codes) & (sold > 0))
    eligible = eligible[np.argsort(codes[eligible], kind="stable")]
    category = codes[eligible].astype(np.int64)
    keep = top_within(category, sold[eligible], max(1, limit // CATEGORIES_PER_USER))
    counts = np.bincount(category[keep], minlength=int(np.nanmax(codes)) + 1)
    return Ragged(np.concatenate([[0], np.cumsum(counts)]), eligible[keep])


def _merge(users: UserRows, by_source: dict[str, Sourced], pool: CandidatePool) -> Pairs:
    shared, shared_bits = pool.shared
    user = [np.arange(len(users), dtype=np.int32).repeat(len(shared)), *(user for user, _ in by_source.values())]
    item = np.concatenate([*[shared] * len(users), *(item for _, item in by_source.values())])
    sizes = [len(item) for _, item in by_source.values()]
    own_bits = np.array([bits_of([source]) for source in by_source]).repeat(sizes)
    bits = np.concatenate([*[shared_bits] * len(users), own_bits])
    allowed = pool.allowed.take(item)
    keys = np.concatenate(user).astype(np.int64) * len(pool.items) + item
    distinct, which = distinct_keys(keys[allowed])
    sources = no_sources(len(distinct))
    np.bitwise_or.at(sources, which, bits[allowed])
    return Pairs(*_split(distinct, len(pool.items)), sources)


def bits_of(sources: Collection[str]) -> np.uint32:
    """Return the bits by which pairs say that they come from some sources."""
    return np.uint32(sum(1 << SOURCES.index(source) for source in set(sources)))


def _split(keys: NDArray[np.int64], width: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Take keys of the form row * width + column apart."""
    rows, columns = np.divmod(keys, width)
    return rows.astype(np.int32), columns.astype(np.int32)


@dataclass(frozen=True)
class CandidateSource:
    """One way to find candidates, with a limit of its name: the same ``for_all`` users, or others ``for_each``."""

    name: str
    for_all: Callable[[ItemRows, NDArray[np.bool_], int], Positions] | None = None
    for_each: Callable[[UserRows, CandidatePool, int], Sourced] | None = None


CANDIDATE_SOURCES = (  # their places are the bits of ``Pairs.sources``: a new one comes last
    CandidateSource("history", for_each=_from_history),
    CandidateSource("popular", for_all=_popular),
    CandidateSource("trending", for_all=_trending),
    CandidateSource("neighbours", for_each=_from_neighbours),
    CandidateSource("category", for_each=_from_categories),
    CandidateSource("new", for_all=_new),
    CandidateSource("promoted", for_all=_promoted),
    CandidateSource("seen", for_each=_from_seen),
)
SOURCES = tuple(source.name for source in CANDIDATE_SOURCES)
