"""Answers: a user's ranked list, or given items in order, from online rows and one bundle.

::

    user id ──OnlineRows──▶ UserRows ─┐
                                      ├─▶ candidates ──▶ features ──▶ scores ──▶ rules ──▶ Answer
    item rows in memory ──────────────┘
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from components.bundles.loading import Bundle
from components.bundles.scoring import Ranker
from components.contracts.errors import StoreError
from components.contracts.shop import Rules
from components.ranking.candidates import Assortment, candidates_of, pairs_with
from components.ranking.pair_columns import PairColumns
from components.ranking.pairs import Pairs
from components.ranking.reasons import reasons
from components.ranking.recommending import Scored, best_allowed, listed, scored_pairs
from components.ranking.rows import UserRows
from components.ranking_service.online_rows import OnlineRows

Indices = NDArray[np.int64]


class Fallback(StrEnum):
    """What an answer rests on where the user's own row cannot be had: what sells, ranked by the same bundle."""

    UNKNOWN_USER = "unknown_user"
    STORE_UNAVAILABLE = "store_unavailable"


@dataclass(frozen=True)
class RankedItem:
    """One place of a list; ``score`` is None for an item that is not known."""

    item_id: str
    score: float | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """A ranked list, best first; ``fallback`` is None when the user's own row was used."""

    items: tuple[RankedItem, ...]
    bundle: str
    fallback: Fallback | None


class Recommender:
    """Answers for one bundle over one moment's items; any thread may ask."""

    def __init__(self, bundle: Bundle, ranker: Ranker, rows: OnlineRows, stock: Assortment) -> None:
        self.bundle, self._ranker, self._rows, self._stock = bundle, ranker, rows, stock
        self._rules = Rules(**bundle.manifest.rules)
        self._positions = {str(item): place for place, item in enumerate(stock.items.item_ids)}

    def recommend(self, user_id: str, k: int, exclude: Collection[str] = (), explain: bool = False) -> Answer:
        """Rank a user's candidates and keep the best ``k`` that the shop's rules and the caller allow."""
        user, fallback = self._user(user_id)
        scored = self._scored(user, candidates_of(user, self._stock))
        left_out = [self._positions[item] for item in exclude if item in self._positions]
        wanted = ~np.isin(scored.pairs.item, left_out)
        best = best_allowed(scored.pairs, scored.score, self._stock.items, self._rules, k, wanted)
        return Answer(self._told(user, scored, best, explain), self.bundle.digest, fallback)

    def rank(self, user_id: str, item_ids: Sequence[str], explain: bool = False) -> Answer:
        """Order given items, each once, as they stand beside the user's candidates; unknown ones come last."""
        user, fallback = self._user(user_id)
        asked = list(dict.fromkeys(item_ids))
        known = np.array([self._positions[item] for item in asked if item in self._positions], dtype=np.int64)
        scored = self._scored(user, pairs_with(candidates_of(user, self._stock), known, len(self._stock.items)))
        wanted = np.flatnonzero(np.isin(scored.pairs.item, known))
        order = wanted[np.lexsort((scored.pairs.item[wanted], -scored.score[wanted]))]
        strangers = tuple(RankedItem(item, None) for item in asked if item not in self._positions)
        return Answer(self._told(user, scored, order, explain) + strangers, self.bundle.digest, fallback)

    def _user(self, user_id: str) -> tuple[UserRows, Fallback | None]:
        try:
            known = self._rows.users([user_id], self._stock.items)
        except StoreError:
            return self._rows.strangers([user_id], self._stock.items).rows, Fallback.STORE_UNAVAILABLE
        return known.rows, None if known.found[0] else Fallback.UNKNOWN_USER

    def _scored(self, user: UserRows, pairs: Pairs) -> Scored:
        return scored_pairs(self._ranker.score, user, self._stock.items, pairs)

    def _told(self, user: UserRows, scored: Scored, chosen: Indices, explain: bool) -> tuple[RankedItem, ...]:
        found = listed(scored, chosen)
        why: Sequence[tuple[str, ...]] = [()] * len(chosen)
        if explain and self.bundle.manifest.kind == "ranker":  # a baseline weighs no features
            pairs = Pairs(found.user, found.item, np.zeros(len(chosen), dtype=np.uint8))
            shares = self._ranker.contributions(found.features)
            columns = PairColumns(user, self._stock.items, pairs)
            why = reasons(columns, shares, self.bundle.manifest.feature_names)
        ids = self._stock.items.item_ids[found.item]
        scores = found.score.tolist()
        return tuple(RankedItem(str(item), score, words) for item, score, words in zip(ids, scores, why, strict=True))
