"""Answers: a user's ranked list, or given items in order, from online rows and one bundle.

::

    RankingQuery ──┐                 ┌── prepare ──┐         score          ┌───── finish ─────┐
    online row ────┼─▶ user, session ├─ candidates ┼─▶ features ──▶ scores ─┼─▶ rules, reasons ┼──▶ Answer
    item rows ─────┘                 └─────────────┘ (of several users at   └──────────────────┘
                                                      once: ``batching``)
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.bundles.loading import Bundle
from components.bundles.scoring import Ranker
from components.contracts.errors import StoreError
from components.contracts.moments import MICROSECOND
from components.experiments.experiment import CHAMPION, ArmName
from components.ranking.candidates import (
    CandidatePool,
    bits_of,
    candidate_pool,
    candidates_of,
    neighbour_weights,
    pairs_with,
)
from components.ranking.pair_columns import PairColumns
from components.ranking.pairs import Pairs, no_sources
from components.ranking.reasons import kinds_of, reasons
from components.ranking.recommending import Recommended, Scored, best_allowed, listed, scored_together
from components.ranking.rows import MISSING_POSITION, Floats, UserRows
from components.ranking.sessions import PURCHASE, Session, longer, session_seeds, with_session
from components.ranking_service.answering.answers import Answer, Fallback, Filters, RankedItem, RankingQuery
from components.ranking_service.answering.catalogue import Catalogue
from components.ranking_service.answering.online_rows import OnlineRows, OnlineUser
from components.ranking_service.answering.score_reference import ScoreReference
from components.ranking_service.answering.sessions import Sessions
from components.shop.settings import Rules
from feature_repo.packed_online_store.rows import PackedRows
from feature_repo.sessions import TTL

WITHOUT_ROW = (Fallback.UNKNOWN_USER, Fallback.SESSION_NEIGHBOURS)
HOUR = 3_600_000_000  # microseconds
MAX_EXPLAINED = 50  # items of a list, the best, that reasons are given for: everyone else waits meanwhile
BEST_SELLERS = 200  # candidates, where there are no others
NO_FILTERS = Filters()
NO_ITEMS = np.empty(0, dtype=np.int64)
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Recommender:
    """Answers for one bundle over one moment's items, on one thread.

    ``degraded`` names what all its answers lack; ``now`` tells the home's time in microseconds since 1970.
    """

    def __init__(
        self,
        bundle: Bundle,
        ranker: Ranker,
        rows: OnlineRows,
        pool: CandidatePool,
        catalogue: Catalogue,
        sessions: Sessions,
        now: Callable[[], int],
        degraded: Fallback | None = None,
        is_stale: Callable[[], bool] = lambda: False,
        lacks_items: bool = False,
        reference: ScoreReference | None = None,
    ) -> None:
        self._reference = reference
        self.bundle, self.pool, self.rows, self.degraded = bundle, pool, rows, degraded
        self.catalogue = catalogue
        self._ranker, self._sessions, self._now, self._is_stale = ranker, sessions, now, is_stale
        self._kinds = kinds_of(bundle.manifest.feature_names)
        self._lacks = Fallback.ROWS_MISSING if lacks_items else None
        self._rules = Rules(**bundle.manifest.rules)
        self.positions = {str(item): place for place, item in enumerate(pool.items.item_ids)}

    def warm_up(self) -> None:
        """Rank for nobody, so that no request is the first to look at these items."""
        nobody = self.rows.unknown_user("", self.pool.items).rows
        query = RankingQuery("")
        (scored,) = self.score([Prepared(self, query, nobody, candidates_of(nobody, self.pool), None)])
        self._ranker.contributions_by(scored.features[:1], self._kinds)

    def prepare(self, query: RankingQuery) -> "Prepared":
        """Read the user's row and find what is to be scored: their candidates, with the items to order among them."""
        with query.stopwatch("features"):
            user, session, fallback = self._user(query.user_id, query.viewed)
        with query.stopwatch("candidates"):
            if query.items is not None:
                given = self._known(dict.fromkeys(query.items))
                pairs = pairs_with(candidates_of(user, self.pool), given, len(self.pool.items))
                return Prepared(self, query, user, pairs, fallback, given=given)
            return self._prepare_list(query, user, session, fallback)

    def _prepare_list(
        self, query: RankingQuery, user: UserRows, session: Session | None, fallback: Fallback | None
    ) -> "Prepared":
        """Find the candidates that may be listed; where there are none, the items that sell best."""
        filters = query.filters or NO_FILTERS
        pool = self._pool_with_sold_out if filters.in_stock_only is False else self.pool
        candidates = candidates_of(user, pool)
        neighbours = self._neighbours(session) if fallback is Fallback.SESSION_NEIGHBOURS else None
        if neighbours is not None:
            candidates = _with_neighbours(candidates, neighbours[0], len(self.pool.items))
        matching = self._matching(filters) if query.filters is not None else None
        excluded = self._excluded(query, session)
        allowed = _allowed(candidates, excluded, matching, filters.sources)
        if _is_empty(candidates, allowed) and filters.sources is None:
            candidates, allowed = self._best_sellers(pool, excluded, matching), None
            fallback = Fallback.most_severe(fallback, Fallback.EMPTY_CANDIDATES)
        return Prepared(self, query, user, candidates, fallback, allowed=allowed, neighbours=neighbours)

    def score(self, several: Sequence["Prepared"]) -> list[Scored]:
        """Score what was prepared of several queries at once: the same bits as of each alone."""
        is_baseline = self.bundle.manifest.kind == "baseline"
        pairs = [(prepared.user, prepared.pairs) for prepared in several]
        return scored_together(self._ranker.score, pairs, self.pool.items, with_baselines=is_baseline)

    def finish(self, prepared: "Prepared", scored: Scored) -> Answer:
        """Order what was scored: the given items, or the best ``k`` that the shop's rules and the caller allow."""
        query = prepared.query
        with query.stopwatch("scoring"):
            if prepared.given is not None:
                chosen = _in_order(scored, prepared.given)
            else:
                scored = _lifted(scored, *prepared.neighbours) if prepared.neighbours is not None else scored
                limit = self.bundle.manifest.k if query.k is None else query.k
                rules = self._rules_for(query.filters)
                chosen = best_allowed(scored.pairs, scored.score, self.pool.items, rules, limit, prepared.allowed)
            ranked = listed(scored, chosen)
            items = self._ranked_items(prepared.user, ranked, query.explain)
            if query.items is not None:
                items += self._unknown_items(query.items, query.explain)
        return Answer(
            items,
            self.bundle.digest,
            self._fallback(prepared),
            ranked.features,
            self.bundle.manifest.feature_list,
            prepared.arm,
            prepared.experiment,
            self._best_score(query, ranked),
        )

    def known_user(self, user_id: str) -> UserRows | None:
        """Return a user's row, updated by their session; None for a user without a row.

        Raises:
            StoreError: the store cannot be read.
        """
        stored = self.rows.read_user(user_id, self.pool.items)
        return self._with_session(user_id, (), stored)[0] if stored.has_row else None

    @cached_property
    def _pool_with_sold_out(self) -> CandidatePool:
        """What all users share when what is out of stock is a candidate too."""
        items = self.pool.items
        columns = {name: values for name, values in items.columns.items() if name != "in_stock"}
        return replace(candidate_pool(replace(items, columns=columns), self.pool.limits), items=items)

    def _best_score(self, query: RankingQuery, ranked: Recommended) -> float | None:
        if self._reference is None or query.items is not None or not len(ranked.score):
            return None
        return self._reference.share(float(ranked.score[0]))

    def _rules_for(self, filters: Filters | None) -> Rules:
        if filters is None or filters.max_per_category is None:
            return self._rules
        return self._rules.model_copy(update={"max_per_category": filters.max_per_category})

    def _fallback(self, prepared: "Prepared") -> Fallback | None:
        """The most severe of what the answer lacks."""
        stale = Fallback.STALE_FEATURES if self._is_stale() else None
        without_row = prepared.fallback in WITHOUT_ROW
        lost = Fallback.ROWS_MISSING if without_row and self.rows.lacks_users() else self._lacks
        return Fallback.most_severe(self.degraded, prepared.arm_fallback, stale, lost, prepared.fallback)

    def _user(self, user_id: str, viewed: Sequence[str]) -> tuple[UserRows, Session | None, Fallback | None]:
        try:
            stored, fallback = self.rows.read_user(user_id, self.pool.items), None
        except StoreError:
            stored, fallback = self.rows.unknown_user(user_id, self.pool.items), Fallback.STORE_UNAVAILABLE
        user, session = self._with_session(user_id, viewed, stored)
        if fallback is None and not stored.has_row:
            fallback = Fallback.UNKNOWN_USER if session is None else Fallback.SESSION_NEIGHBOURS
        return user, session, fallback

    def _with_session(self, user_id: str, viewed: Sequence[str], stored: OnlineUser) -> tuple[UserRows, Session | None]:
        now = self._now()
        session = self._session(user_id, viewed, stored.session, stored.event_time if stored.has_row else 0, now)
        if session is None:
            return stored.rows, None
        return with_session(stored.rows, self.pool.items, session, now), session

    def _session(
        self, user_id: str, viewed: Sequence[str], stored: PackedRows | None, since: int, now: int
    ) -> Session | None:
        """What the user did since their row was made, with what the caller says that they look at now."""
        held = self._sessions.of(user_id, stored)
        session = held.since(max(since, now - TTL // MICROSECOND)) if held is not None else None
        seen = self._known(viewed)
        if len(seen):
            session = longer(session, self.pool.items.codes[seen], "view", now)
        return session if session is not None and len(session) else None

    def _neighbours(self, session: Session | None) -> tuple[Indices, Floats]:
        """Items that go with those of a session, and how well."""
        if session is None:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        _, item, weight = neighbour_weights(session_seeds(session, self.pool.items), self.pool.items)
        allowed = self.pool.allowed[item]
        return item[allowed].astype(np.int64), weight[allowed]

    def _best_sellers(self, pool: CandidatePool, excluded: Indices, matching: Mask | None) -> Pairs:
        """The items that sell best of those that may be listed, the same for every user."""
        sales = self.pool.items.columns["purchases_decay_7"]
        allowed = pool.allowed & (sales > 0)
        if matching is not None:
            allowed &= matching
        allowed[excluded] = False
        sold = np.flatnonzero(allowed)
        best = np.argsort(-sales[sold], kind="stable")[:BEST_SELLERS]
        items = np.sort(sold[best]).astype(np.int32)
        return Pairs(np.zeros(len(items), np.int32), items, no_sources(len(items)))

    def _matching(self, filters: Filters) -> Mask:
        """Which items a caller's filters let through, bool [items]."""
        matching = self.catalogue.matching(filters.categories, filters.brands, filters.max_price)
        in_stock = self.pool.items.columns.get("in_stock")
        return matching & (in_stock != 0) if filters.in_stock_only and in_stock is not None else matching

    def _excluded(self, query: RankingQuery, session: Session | None) -> Indices:
        """Items that the caller excludes, or that the user has just bought."""
        if session is None and not query.exclude:
            return NO_ITEMS
        return np.concatenate([self._known(query.exclude), self._just_bought(session)])

    def _just_bought(self, session: Session | None) -> Indices:
        """Items that the user bought so lately that the shop's rules leave them out; a snapshot knows no hours."""
        if session is None or not self._rules.hours_after_purchase:
            return NO_ITEMS
        bought = session.of_kinds((PURCHASE,)).since(self._now() - self._rules.hours_after_purchase * HOUR)
        at = self.pool.items.positions(bought.codes)
        return at[at != MISSING_POSITION].astype(np.int64)

    def _known(self, item_ids: Collection[str]) -> Indices:
        return np.array([self.positions[item] for item in item_ids if item in self.positions], dtype=np.int64)

    def _ranked_items(self, user: UserRows, ranked: Recommended, explain: bool) -> tuple[RankedItem, ...]:
        ids, scores = self.pool.items.item_ids[ranked.item], ranked.score.tolist()
        if not explain:
            return tuple(RankedItem(str(item), score) for item, score in zip(ids, scores, strict=True))
        words, positions = self.catalogue, ranked.item.tolist()
        return tuple(
            RankedItem(str(item), score, reasons, words.title(position), words.categories.of(position))
            for item, score, reasons, position in zip(ids, scores, self._reasons(user, ranked), positions, strict=True)
        )

    def _reasons(self, user: UserRows, ranked: Recommended) -> list[tuple[str, ...]]:
        """Why items are listed, in words, for the best ``MAX_EXPLAINED``; a baseline weighs no features."""
        words: list[tuple[str, ...]] = [()] * len(ranked.item)
        if self.bundle.manifest.kind == "ranker":
            item = ranked.item[:MAX_EXPLAINED]
            pairs = Pairs(ranked.user[:MAX_EXPLAINED], item, no_sources(len(item)))
            added = self._ranker.contributions_by(ranked.features[:MAX_EXPLAINED], self._kinds)
            words[: len(item)] = reasons(PairColumns(user, self.pool.items, pairs), added)
        return words

    def _unknown_items(self, item_ids: Sequence[str], explain: bool) -> tuple[RankedItem, ...]:
        """Given items that are not known, each once, without a score."""
        unknown = (item for item in dict.fromkeys(item_ids) if item not in self.positions)
        return tuple(RankedItem(item, None, title=item if explain else "") for item in unknown)


@dataclass(slots=True, eq=False)
class Prepared:
    """A query up to its scoring: one user's row, and their pairs with items.

    ``allowed`` bool [pairs] says which may be listed (None: all); ``neighbours`` are items with weights that stand
    before all others; ``given`` are the positions of the items to order, None for a list. ``arm`` and what follows
    are set by whatever chose the recommender.
    """

    recommender: Recommender
    query: RankingQuery
    user: UserRows
    pairs: Pairs
    fallback: Fallback | None
    allowed: Mask | None = None
    neighbours: tuple[Indices, Floats] | None = None
    given: Indices | None = None
    arm: ArmName = CHAMPION
    arm_fallback: Fallback | None = None
    experiment: str | None = None


def _allowed(candidates: Pairs, excluded: Indices, matching: Mask | None, sources: Sequence[str] | None) -> Mask | None:
    """Which candidates may be listed; None: all of them."""
    if not len(excluded) and matching is None:
        return None
    allowed = np.ones(len(candidates.item), dtype=bool)
    if len(excluded):
        allowed &= ~np.isin(candidates.item, excluded)
    if matching is not None:
        allowed &= matching[candidates.item]
    if sources is not None:
        allowed &= (candidates.sources & bits_of(sources)) != 0
    return allowed


def _in_order(scored: Scored, given: Indices) -> Indices:
    """Places of the pairs of given items, best first; of equal scores the first item by id comes first."""
    places = np.flatnonzero(np.isin(scored.pairs.item, given))
    return places[np.lexsort((scored.pairs.item[places], -scored.score[places]))]


def _is_empty(candidates: Pairs, allowed: Mask | None) -> bool:
    return not (len(candidates.item) if allowed is None else allowed.any())


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
    matches = items[order][at] == scored.pairs.item if len(items) else np.zeros(len(weight), dtype=bool)
    weight[matches] = weights[order][at[matches]]
    top = np.float32(scored.score.max(initial=0.0))
    return replace(scored, score=np.where(matches, top + weight, scored.score).astype(np.float32))
