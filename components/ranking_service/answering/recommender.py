"""Answers: a user's ranked list, or given items in order, from online rows and one bundle.

::

    user id ──OnlineRows──▶ UserRows ◀── session ─┐
                                      ├─▶ candidates ──▶ features ──▶ scores ──▶ rules ──▶ Answer
    item rows in memory ──────────────┘
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.bundles.loading import Bundle
from components.bundles.scoring import Ranker
from components.contracts.errors import StoreError
from components.ranking.candidates import Assortment, assortment, bits_of, candidates_of, neighbour_weights, pairs_with
from components.ranking.pair_columns import PairColumns
from components.ranking.pairs import Pairs, no_sources
from components.ranking.reasons import kinds_of, reasons
from components.ranking.recommending import Recommended, Scored, best_allowed, listed, scored_together
from components.ranking.rows import MISSING_POSITION, Floats, UserRows
from components.ranking.sessions import PURCHASE, Session, longer, session_seeds, with_session
from components.ranking_service.answering.answers import Answer, Asked, Fallback, RankedItem
from components.ranking_service.answering.catalogue import Catalogue
from components.ranking_service.answering.online_rows import AskedUser, OnlineRows
from components.ranking_service.answering.sessions import Sessions
from components.ranking_service.answering.together import Steps, Unscored
from components.ranking_service.telemetry.stopwatch import Stopwatch
from components.shop.settings import Rules
from feature_repo.packed_online_store.client import MICROSECOND
from feature_repo.packed_online_store.rows import PackedRows
from feature_repo.sessions import TTL

WITHOUT_ROW = (Fallback.UNKNOWN_USER, Fallback.SESSION_NEIGHBOURS)
HOUR = 3_600_000_000  # microseconds
MOST_EXPLAINED = 50  # items of a list, the best, that reasons are given for: everybody waits for them
MOST_SOLD = 200  # candidates, where there are no others
Indices = NDArray[np.int64]


class Recommender:
    """Answers for one bundle over one moment's items, on one thread.

    ``degraded`` names what all its answers lack; ``now`` tells the home's time in microseconds since 1970.
    """

    def __init__(
        self,
        bundle: Bundle,
        ranker: Ranker,
        rows: OnlineRows,
        stock: Assortment,
        catalogue: Catalogue,
        sessions: Sessions,
        now: Callable[[], int],
        degraded: Fallback | None = None,
        is_stale: Callable[[], bool] = lambda: False,
        lacks_items: bool = False,
    ) -> None:
        self.bundle, self.stock, self.rows, self.degraded = bundle, stock, rows, degraded
        self.catalogue = catalogue
        self._ranker, self._sessions, self._now, self._is_stale = ranker, sessions, now, is_stale
        self._kinds = kinds_of(bundle.manifest.feature_names)
        self._lacks = Fallback.ROWS_MISSING if lacks_items else None
        self._rules = Rules(**bundle.manifest.rules)
        self.positions = {str(item): place for place, item in enumerate(stock.items.item_ids)}

    def warm_up(self) -> None:
        """Rank for nobody, so that no request is the first to look at these items."""
        nobody = self.rows.stranger("", self.stock.items).rows
        (scored,) = self.scored([(nobody, candidates_of(nobody, self.stock))])
        self._ranker.contributions_by(scored.features[:1], self._kinds)

    def recommend(self, asked: Asked, watch: Stopwatch) -> Steps[Answer]:
        """Steps that rank a user's candidates and keep the best ``k`` that the shop's rules and the caller allow."""
        with watch("features"):
            user, session, fallback = self._user(asked.user_id, asked.viewed)
        with watch("candidates"):
            candidates = candidates_of(user, self._any_stock if asked.any_stock else self.stock)
            neighbours = self._neighbours(session) if fallback is Fallback.SESSION_NEIGHBOURS else None
            if neighbours is not None:
                candidates = _with_neighbours(candidates, neighbours[0], len(self.stock.items))
            wanted = self._wanted(candidates, asked, session)
            if _is_empty(candidates, wanted) and asked.sources is None:
                candidates, wanted = self._sold_most(asked, session), None
                fallback = Fallback.gravest(fallback, Fallback.EMPTY_CANDIDATES)
        scored = yield Unscored(self, user, candidates, watch)
        with watch("scoring"):
            if neighbours is not None:
                scored = _lifted(scored, *neighbours)
            rules = self._rules_of(asked)
            best = best_allowed(scored.pairs, scored.score, self.stock.items, rules, asked.k, wanted)
            found = listed(scored, best)
            told = self._told(user, found, asked.explain)
        return self._answer(told, fallback, found.features)

    def rank(self, asked: Asked, item_ids: Sequence[str], watch: Stopwatch) -> Steps[Answer]:
        """Steps that order given items, each once, as they stand beside the user's candidates; unknown ones last."""
        with watch("features"):
            user, _, fallback = self._user(asked.user_id, asked.viewed)
        with watch("candidates"):
            once = list(dict.fromkeys(item_ids))
            known = self._known(once)
            pairs = pairs_with(candidates_of(user, self.stock), known, len(self.stock.items))
        scored = yield Unscored(self, user, pairs, watch)
        with watch("scoring"):
            wanted = np.flatnonzero(np.isin(scored.pairs.item, known))
            order = wanted[np.lexsort((scored.pairs.item[wanted], -scored.score[wanted]))]
            found = listed(scored, order)
            strangers = tuple(RankedItem(item, None) for item in once if item not in self.positions)
            told = self._told(user, found, asked.explain) + strangers
        return self._answer(told, fallback, found.features)

    def scored(self, asked: Sequence[tuple[UserRows, Pairs]]) -> list[Scored]:
        """Score pairs of several users at once."""
        is_baseline = self.bundle.manifest.kind == "baseline"
        return scored_together(self._ranker.score, asked, self.stock.items, with_baselines=is_baseline)

    def known_user(self, user_id: str) -> UserRows | None:
        """A user's row, with what they just did laid over it; None for one without a row.

        Raises:
            StoreError: the store cannot be read.
        """
        asked = self.rows.asked(user_id, self.stock.items)
        return self._laid_over(user_id, (), asked)[0] if asked.found else None

    @cached_property
    def _any_stock(self) -> Assortment:
        """What all users share when what is out of stock is a candidate too."""
        items = self.stock.items
        told = {name: values for name, values in items.columns.items() if name != "in_stock"}
        return replace(assortment(replace(items, columns=told), self.stock.limits), items=items)

    def _rules_of(self, asked: Asked) -> Rules:
        if asked.max_per_category is None:
            return self._rules
        return self._rules.model_copy(update={"max_per_category": asked.max_per_category})

    def _answer(self, items: tuple[RankedItem, ...], fallback: Fallback | None, features: Floats) -> Answer:
        stale = Fallback.STALE_FEATURES if self._is_stale() else None
        lost = Fallback.ROWS_MISSING if fallback in WITHOUT_ROW and self.rows.lacks_users() else self._lacks
        return Answer(items, self.bundle.digest, Fallback.gravest(self.degraded, stale, lost, fallback), features)

    def _user(self, user_id: str, viewed: Sequence[str]) -> tuple[UserRows, Session | None, Fallback | None]:
        try:
            asked, fallback = self.rows.asked(user_id, self.stock.items), None
        except StoreError:
            asked, fallback = self.rows.stranger(user_id, self.stock.items), Fallback.STORE_UNAVAILABLE
        user, session = self._laid_over(user_id, viewed, asked)
        if fallback is None and not asked.found:
            fallback = Fallback.UNKNOWN_USER if session is None else Fallback.SESSION_NEIGHBOURS
        return user, session, fallback

    def _laid_over(self, user_id: str, viewed: Sequence[str], asked: AskedUser) -> tuple[UserRows, Session | None]:
        now = self._now()
        session = self._session(user_id, viewed, asked.session, asked.event_time if asked.found else 0, now)
        if session is None:
            return asked.rows, None
        return with_session(asked.rows, self.stock.items, session, now), session

    def _session(
        self, user_id: str, viewed: Sequence[str], stored: PackedRows | None, since: int, now: int
    ) -> Session | None:
        """What the user did since their row was made, with what the caller says that they look at now."""
        held = self._sessions.of(user_id, stored)
        session = held.since(max(since, now - TTL // MICROSECOND)) if held is not None else None
        seen = self._known(viewed)
        if len(seen):
            session = longer(session, self.stock.items.codes[seen], "view", now)
        return session if session is not None and len(session) else None

    def _neighbours(self, session: Session | None) -> tuple[Indices, Floats]:
        """Items that go with those of a session, and how well."""
        if session is None:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        _, item, weight = neighbour_weights(session_seeds(session, self.stock.items), self.stock.items)
        allowed = self.stock.allowed[item]
        return item[allowed].astype(np.int64), weight[allowed]

    def _sold_most(self, asked: Asked, session: Session | None) -> Pairs:
        """The items that sell best of those that may be listed, whoever asks."""
        stock = self._any_stock if asked.any_stock else self.stock
        sales = self.stock.items.columns["purchases_decay_7"]
        allowed = stock.allowed & (sales > 0)
        if asked.wanted is not None:
            allowed &= asked.wanted
        allowed[self._left_out(asked, session)] = False
        sold = np.flatnonzero(allowed)
        best = np.argsort(-sales[sold], kind="stable")[:MOST_SOLD]
        items = np.sort(sold[best]).astype(np.int32)
        return Pairs(np.zeros(len(items), np.int32), items, no_sources(len(items)))

    def _wanted(self, pairs: Pairs, asked: Asked, session: Session | None) -> NDArray[np.bool_] | None:
        """Which candidates may be listed; None: all of them."""
        if session is None and not asked.exclude and asked.wanted is None and asked.sources is None:
            return None
        wanted = np.ones(len(pairs.item), dtype=bool)
        left_out = self._left_out(asked, session)
        if len(left_out):
            wanted &= ~np.isin(pairs.item, left_out)
        if asked.wanted is not None:
            wanted &= asked.wanted[pairs.item]
        if asked.sources is not None:
            wanted &= (pairs.sources & bits_of(asked.sources)) != 0
        return wanted

    def _left_out(self, asked: Asked, session: Session | None) -> Indices:
        """Items that the caller, or what the user just bought, keeps out of the list."""
        return np.r_[self._known(asked.exclude), self._just_bought(session)]

    def _just_bought(self, session: Session | None) -> Indices:
        """Items that the user bought so lately that the shop's rules leave them out; a snapshot knows no hours."""
        if session is None or not self._rules.hours_after_purchase:
            return np.empty(0, dtype=np.int64)
        bought = session.of_kinds((PURCHASE,)).since(self._now() - self._rules.hours_after_purchase * HOUR)
        at = self.stock.items.positions(bought.codes)
        return at[at != MISSING_POSITION].astype(np.int64)

    def _known(self, item_ids: Collection[str]) -> Indices:
        return np.array([self.positions[item] for item in item_ids if item in self.positions], dtype=np.int64)

    def _told(self, user: UserRows, found: Recommended, explain: bool) -> tuple[RankedItem, ...]:
        why: list[tuple[str, ...]] = [()] * len(found.item)
        if explain and self.bundle.manifest.kind == "ranker":  # a baseline weighs no features
            item = found.item[:MOST_EXPLAINED]
            pairs = Pairs(found.user[:MOST_EXPLAINED], item, no_sources(len(item)))
            added = self._ranker.contributions_by(found.features[:MOST_EXPLAINED], self._kinds)
            why[: len(item)] = reasons(PairColumns(user, self.stock.items, pairs), added)
        ids = self.stock.items.item_ids[found.item]
        scores = found.score.tolist()
        return tuple(RankedItem(str(item), score, words) for item, score, words in zip(ids, scores, why, strict=True))


def _is_empty(candidates: Pairs, wanted: NDArray[np.bool_] | None) -> bool:
    return not (len(candidates.item) if wanted is None else wanted.any())


def _with_neighbours(candidates: Pairs, neighbours: Indices, items: int) -> Pairs:
    """Add neighbours to the candidates of one user, as the source that they come from."""
    pairs = pairs_with(candidates, neighbours, items)
    added = bits_of(["neighbours"]) * np.isin(pairs.item, neighbours)
    return replace(pairs, sources=pairs.sources | added)


def _lifted(scored: Scored, items: Indices, weights: Floats) -> Scored:
    """Put some items before all others, by their weights."""
    weight = np.zeros(len(scored.pairs.item), dtype=np.float32)
    order = np.argsort(items)
    at = np.minimum(np.searchsorted(items[order], scored.pairs.item), max(len(items) - 1, 0))
    found = items[order][at] == scored.pairs.item if len(items) else np.zeros(len(weight), dtype=bool)
    weight[found] = weights[order][at[found]]
    top = np.float32(scored.score.max(initial=0.0))
    return replace(scored, score=np.where(found, top + weight, scored.score).astype(np.float32))
