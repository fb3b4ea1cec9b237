"""Recommending: candidates, features, scores, the shop's rules, the top k. Pure; the rows come from anywhere."""

import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.ranking.baselines import baselines_of
from components.ranking.candidates import candidate_pool, candidates_of
from components.ranking.features import features_of
from components.ranking.grouping import places_within, ranks_within
from components.ranking.pair_columns import PairColumns
from components.ranking.pairs import Pairs
from components.ranking.rows import Floats, ItemRows, Ragged, UserRows
from components.shop.settings import Candidates, Rules

Score = Callable[[Floats, Floats], Floats]  # features [n, f], baselines [n, b] -> scores [n]
USERS_AT_ONCE = 512  # bounds memory: about 300 candidates a user


@dataclass(frozen=True)
class Recommended:
    """Ranked lists end to end: ``rank`` from 1 within a user; ``item`` are positions; ``features`` as scored."""

    user: NDArray[np.int32]
    rank: NDArray[np.int32]
    item: NDArray[np.int32]
    score: Floats
    features: Floats
    baselines: Floats


@dataclass(frozen=True)
class Scored:
    """Candidates with their scores and inputs: ``score`` [pairs], ``features`` and ``baselines`` [pairs, columns]."""

    pairs: Pairs
    score: Floats
    features: Floats
    baselines: Floats


def recommend(
    score: Score, users: UserRows, items: ItemRows, candidates: Candidates, rules: Rules, k: int
) -> Iterator[Recommended]:
    """Rank each user's candidates and keep the best ``k`` that the rules allow, some users at a time."""
    pool = candidate_pool(items, candidates)
    for start in range(0, len(users), USERS_AT_ONCE):
        some = users_between(users, start, start + USERS_AT_ONCE)
        scored = scored_pairs(score, some, items, candidates_of(some, pool))
        yield listed(scored, best_allowed(scored.pairs, scored.score, items, rules, k), first_user=start)


def scored_pairs(score: Score, users: UserRows, items: ItemRows, pairs: Pairs, with_baselines: bool = True) -> Scored:
    """Compute what pairs are ranked by; a feature may compare a pair with all others of its user.

    Without baselines, which a model does not look at, theirs is a matrix of no columns.
    """
    columns = PairColumns(users, items, pairs)
    features = features_of(columns)
    baselines = baselines_of(columns) if with_baselines else np.empty((len(features), 0), dtype=np.float32)
    return Scored(pairs, score(features, baselines), features, baselines)


def scored_together(
    score: Score, asked: Sequence[tuple[UserRows, Pairs]], items: ItemRows, with_baselines: bool = True
) -> list[Scored]:
    """As ``scored_pairs`` of each: the same bits, with fewer array operations where users have the same columns."""
    if len(asked) == 1:  # then there is nothing to look at or to copy
        ((users, pairs),) = asked
        return [scored_pairs(score, users, items, pairs, with_baselines)]
    alike: dict[Hashable, list[int]] = {}
    for place, (users, _) in enumerate(asked):
        alike.setdefault(_layout(users), []).append(place)
    by_place: dict[int, Scored] = {}
    for places in alike.values():
        rows, parts = [asked[place][0] for place in places], [asked[place][1] for place in places]
        scored = scored_pairs(score, users_joined(rows), items, pairs_joined(rows, parts), with_baselines)
        ends = itertools.accumulate(map(len, parts))
        for place, own, end in zip(places, parts, ends, strict=True):
            some = slice(end - len(own), end)
            by_place[place] = Scored(own, scored.score[some], scored.features[some], scored.baselines[some])
    return [by_place[place] for place in range(len(asked))]


def listed(scored: Scored, chosen: NDArray[np.int64], first_user: int = 0) -> Recommended:
    """Rank the chosen pairs, best first within their user; users are counted from the first one."""
    user, item, score = scored.pairs.user[chosen], scored.pairs.item[chosen], scored.score[chosen]
    rank = ranks_within(user, score) + 1
    return Recommended(user + first_user, rank, item, score, scored.features[chosen], scored.baselines[chosen])


def best_allowed(
    pairs: Pairs, scores: Floats, items: ItemRows, rules: Rules, k: int, wanted: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Indices of the best ``k`` wanted pairs a user, best first, with at most ``max_per_category`` of a category."""
    order = np.lexsort((-scores, pairs.user))  # of equal scores the first item comes first, as in the pairs
    if wanted is not None:
        order = order[wanted[order]]
    if rules.max_per_category is not None and "category" in items.columns:
        order = order[_within_category_limit(pairs, items, order, rules.max_per_category)]
    return order[places_within(pairs.user[order]) < k]


def _within_category_limit(pairs: Pairs, items: ItemRows, order: NDArray[np.int64], limit: int) -> NDArray[np.bool_]:
    """Return which ordered pairs are among the first ``limit`` of their user and category (no category: no limit)."""
    category = items.columns["category"][pairs.item[order]]
    known = np.flatnonzero(~np.isnan(category))
    key = pairs.user[order][known].astype(np.int64) * (int(category[known].max(initial=0)) + 1) + category[
        known
    ].astype(np.int64)
    by_key = np.argsort(key, kind="stable")
    seen = np.empty(len(key), dtype=np.int64)
    seen[by_key] = places_within(key[by_key])
    allowed = np.ones(len(order), dtype=bool)
    allowed[known] = seen < limit
    return allowed


def users_between(users: UserRows, start: int, stop: int) -> UserRows:
    """Return a slice of user rows, histories included."""
    stop = min(stop, len(users))
    columns = {name: values[start:stop] for name, values in users.columns.items()}
    arrays = {name: _rows_between(ragged, start, stop) for name, ragged in users.arrays.items()}
    return UserRows(users.user_ids[start:stop], columns, arrays)


def users_joined(several: Sequence[UserRows]) -> UserRows:
    """Lay user rows of the same columns one after another: the reverse of ``users_between``."""
    first = several[0]
    columns = {name: np.concatenate([users.columns[name] for users in several]) for name in first.columns}
    arrays = {name: _joined([users.arrays[name] for users in several]) for name in first.arrays}
    return UserRows(np.concatenate([users.user_ids for users in several]), columns, arrays)


def pairs_joined(users: Sequence[UserRows], several: Sequence[Pairs]) -> Pairs:
    """Lay pairs of several user rows one after another, as pairs of the joined rows."""
    starts = itertools.accumulate(map(len, users[:-1]), initial=0)
    user = np.concatenate([pairs.user + np.int32(start) for start, pairs in zip(starts, several, strict=True)])
    item = np.concatenate([pairs.item for pairs in several])
    return Pairs(user, item, np.concatenate([pairs.sources for pairs in several]))


def _layout(users: UserRows) -> Hashable:
    """Return what user rows must have in common so that joining them changes no value."""
    return tuple(users.columns), tuple((name, ragged.values.dtype) for name, ragged in users.arrays.items())


def _joined(several: Sequence[Ragged]) -> Ragged:
    lengths = np.concatenate([np.diff(ragged.offsets) for ragged in several])
    return Ragged(np.concatenate([[0], lengths.cumsum()]), np.concatenate([ragged.values for ragged in several]))


def _rows_between(ragged: Ragged, start: int, stop: int) -> Ragged:
    offsets = ragged.offsets[start : stop + 1]
    return Ragged(offsets - offsets[0], ragged.values[offsets[0] : offsets[-1]])
