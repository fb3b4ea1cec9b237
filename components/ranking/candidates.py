"""Candidate generation: a few hundred items a user that are worth ranking, from several sources.

Training, batch and serving call the same function on the same rows, so negatives are what serving would rank.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.contracts.shop import Candidates
from components.ranking.grouping import sums_by_key, top_within
from components.ranking.pairs import Pairs
from components.ranking.rows import MISSING_POSITION, Floats, ItemRows, Positions, Ragged, UserRows

SOURCES = ("history", "popular", "trending", "neighbours", "category", "new", "promoted", "seen")
CATEGORIES_PER_USER = 5
SEEDS_PER_USER = 30  # own items whose neighbours are looked at
NEW_WITHIN_DAYS = 28.0

Sourced = tuple[NDArray[np.int32], Positions]  # user indices and item positions, unordered


@dataclass(frozen=True)
class Assortment:
    """What the candidates of all users share: found once for the items of a moment, used for any users.

    ``allowed`` bool [items]: merchandise in stock. ``best``: positions of the same best items for everybody, by source.
    ``shelves``: the best-selling items of each category, as lists by its code; None when no item has one.
    """

    items: ItemRows
    limits: Candidates
    allowed: NDArray[np.bool_]
    best: dict[str, Positions]
    shelves: Ragged | None


def assortment(items: ItemRows, limits: Candidates) -> Assortment:
    """Find what the candidates of all users share."""
    allowed = _allowed(items)
    best = {
        "popular": _best(items, "purchases_decay_28", limits.popular, allowed),
        "trending": _best(items, "trend", limits.trending, allowed),
        "new": _best(items, "purchases_decay_7", limits.new, allowed & _is_new(items)),
        "promoted": _best(items, "promotion_reach", limits.promoted, allowed),
    }
    return Assortment(items, limits, allowed, best, _shelves(items, allowed, limits.category))


def generate_candidates(users: UserRows, items: ItemRows, limits: Candidates) -> Pairs:
    """Collect each user's candidates from all sources; only merchandise in stock, each pair once."""
    return candidates_of(users, assortment(items, limits))


def candidates_of(users: UserRows, stock: Assortment) -> Pairs:
    """As ``generate_candidates``, of items that were looked through before."""
    items, limits = stock.items, stock.limits
    found = {
        "history": _from_history(users, limits.history),
        "neighbours": _from_neighbours(users, items, limits.neighbours),
        "category": _from_categories(users, items, stock.shelves),
        "seen": _from_seen(users, limits.seen),
        **{source: _for_everybody(users, best) for source, best in stock.best.items()},
    }
    return _merge([found[source] for source in SOURCES], stock.allowed, len(items))


def pairs_with(candidates: Pairs, keys: NDArray[np.int64], items: int) -> Pairs:
    """Add pairs to candidates: ``keys`` are user * items + item position; no source brings what is no candidate."""
    own = candidates.user.astype(np.int64) * items + candidates.item
    extra = np.setdiff1d(keys, own)
    every = np.r_[own, extra]
    order = np.argsort(every, kind="stable")
    sources = np.r_[candidates.sources, np.zeros(len(extra), dtype=np.uint8)][order]
    return Pairs((every[order] // items).astype(np.int32), (every[order] % items).astype(np.int32), sources)


def _allowed(items: ItemRows) -> NDArray[np.bool_]:
    merchandise = items.columns["is_merchandise"] == 1
    return merchandise & (items.columns["in_stock"] != 0) if "in_stock" in items.columns else merchandise


def _is_new(items: ItemRows) -> NDArray[np.bool_]:
    return items.columns["days_since_first_sale"] <= NEW_WITHIN_DAYS


def _from_history(users: UserRows, limit: int) -> Sourced:
    history = users.arrays["history_item"]
    keep = top_within(history.row, users.arrays["history_decay_112"].values, limit)
    return history.row[keep], history.values[keep].astype(np.int32)


def _from_seen(users: UserRows, limit: int) -> Sourced:
    """What the user looked at last."""
    if limit == 0 or "seen_item" not in users.arrays:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    seen = users.arrays["seen_item"]
    keep = top_within(seen.row, -users.arrays["seen_days_since_last"].values, limit)
    return seen.row[keep], seen.values[keep].astype(np.int32)


def _best(items: ItemRows, column: str, limit: int, allowed: NDArray[np.bool_]) -> Positions:
    """The best items by one column; those without a positive value are left out."""
    values = items.columns.get(column)
    if values is None or limit == 0:
        return np.empty(0, np.int32)
    eligible = np.flatnonzero(allowed & (values > 0))
    return np.sort(eligible[np.argsort(-values[eligible], kind="stable")[:limit]]).astype(np.int32)


def _for_everybody(users: UserRows, best: Positions) -> Sourced:
    return np.repeat(np.arange(len(users), dtype=np.int32), len(best)), np.tile(best, len(users))


def _from_neighbours(users: UserRows, items: ItemRows, limit: int) -> Sourced:
    """Items bought together with the user's own, by similarity weighted with the own items' decayed counts."""
    if limit == 0 or "neighbour_item" not in items.arrays:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    user, item, weight = neighbour_weights(users, items)
    keep = top_within(user, weight, limit)
    return user[keep], item[keep]


def neighbour_weights(users: UserRows, items: ItemRows) -> tuple[NDArray[np.int32], Positions, Floats]:
    """Weigh the neighbours of each user's strongest own items: user ascending, item ascending, float32 weight."""
    history, strength = users.arrays["history_item"], users.arrays["history_decay_112"].values.astype(np.float32)
    seeds = np.flatnonzero(top_within(history.row, strength, SEEDS_PER_USER))
    entries, seed = _expand(items.arrays["neighbour_item"], history.values[seeds].astype(np.int32))
    neighbour = items.positions(items.arrays["neighbour_item"].values[entries])
    similarity = items.arrays["neighbour_similarity"].values[entries].astype(np.float32)
    known = neighbour != MISSING_POSITION
    keys = history.row[seeds][seed].astype(np.int64) * len(items) + neighbour
    distinct, weight = sums_by_key(keys[known], (similarity * strength[seeds][seed])[known])
    return (
        (distinct // len(items)).astype(np.int32),
        (distinct % len(items)).astype(np.int32),
        weight.astype(np.float32),
    )


def _expand(ragged: Ragged, rows: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices into ``ragged.values`` of the given rows, one after another, and which of ``rows`` each comes from."""
    lengths = ragged.offsets[rows + 1] - ragged.offsets[rows]
    which = np.repeat(np.arange(len(rows)), lengths)
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return ragged.offsets[rows][which] + within, which


def _from_categories(users: UserRows, items: ItemRows, shelves: Ragged | None) -> Sourced:
    """Best-selling items of the categories in which the user buys most."""
    if shelves is None:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    user, category = _favourite_categories(users, items.columns["category"], width=len(shelves.offsets) - 1)
    entries, which = _expand(shelves, category)
    return user[which], shelves.values[entries].astype(np.int32)


def _favourite_categories(users: UserRows, codes: Floats, width: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    history = users.arrays["history_item"]
    category = codes[history.values.astype(np.int32)]
    known = ~np.isnan(category)
    keys = history.row[known].astype(np.int64) * width + category[known].astype(np.int64)
    distinct, weight = sums_by_key(keys, users.arrays["history_decay_112"].values[known].astype(np.float32))
    keep = top_within(distinct // width, weight, CATEGORIES_PER_USER)
    return (distinct[keep] // width).astype(np.int32), (distinct[keep] % width).astype(np.int32)


def _shelves(items: ItemRows, allowed: NDArray[np.bool_], limit: int) -> Ragged | None:
    """The best-selling items of each category, as lists by category code."""
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


def _merge(found: list[Sourced], allowed: NDArray[np.bool_], n_items: int) -> Pairs:
    keys = np.concatenate([user.astype(np.int64) * n_items + item for user, item in found])
    bits = np.repeat(np.left_shift(1, np.arange(len(found))).astype(np.uint8), [len(user) for user, _ in found])
    merchandise = allowed[keys % n_items]
    distinct, inverse = np.unique(keys[merchandise], return_inverse=True)
    sources = np.zeros(len(distinct), dtype=np.uint8)
    np.bitwise_or.at(sources, inverse, bits[merchandise])
    return Pairs((distinct // n_items).astype(np.int32), (distinct % n_items).astype(np.int32), sources)
