"""What a recommender is asked, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from components.experiments.experiment import CHAMPION, ArmName
from components.ranking.rows import Floats
from components.ranking_service.telemetry.stopwatch import Stopwatch


class Fallback(StrEnum):
    """What an answer rests on where its usual ground is missing; the most severe first."""

    NO_BUNDLE = "no_bundle"  # no bundle can be opened: a baseline ranks
    ARM_UNAVAILABLE = "arm_unavailable"  # the arm's bundle cannot be opened: the champion ranks
    STORE_UNAVAILABLE = "store_unavailable"  # the user's row cannot be read: what sells, ranked by the bundle
    ROWS_MISSING = "rows_missing"  # the store lost rows, the user's or items': ranked without them
    STALE_FEATURES = "stale_features"  # the item rows are older than their bound: ranked all the same
    EMPTY_CANDIDATES = "empty_candidates"  # no candidate passes the filters: what sells best is listed
    SESSION_NEIGHBOURS = "session_neighbours"  # no row of the user: what goes with what they just looked at, first
    UNKNOWN_USER = "unknown_user"  # no row of the user: what sells, ranked by the bundle

    @classmethod
    def most_severe(cls, *fallbacks: "Fallback | None") -> "Fallback | None":
        """Return the fallback that an answer names, of all that apply to it; None when none does."""
        named = [fallback for fallback in fallbacks if fallback is not None]
        return min(named, key=list(cls).index) if named else None


@dataclass(slots=True)
class Filters:
    """A caller's filters; what is not given limits nothing.

    ``sources`` names the candidate sources that count, ``max_per_category`` replaces the shop's rule, and
    ``in_stock_only`` False makes candidates of items that are out of stock too. A category is a name or a path.
    """

    categories: Sequence[str | tuple[str, ...]] = ()
    brands: Sequence[str] = ()
    max_price: float | None = None
    sources: Sequence[str] | None = None
    max_per_category: int | None = None
    in_stock_only: bool | None = None


@dataclass(slots=True)
class RankingQuery:
    """A question for a ranked list: the best ``k`` candidates of a user, or given ``items`` in order.

    ``k`` None is the bundle's own; ``viewed`` are items that the user looks at now. ``arm`` is the arm that is asked
    for; None leaves it to the experiment. ``stopwatch`` takes the time of each stage.
    """

    user_id: str
    k: int | None = None
    items: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    viewed: Sequence[str] = ()
    filters: Filters | None = None
    explain: bool = False
    arm: ArmName | None = None
    stopwatch: Stopwatch = field(default_factory=Stopwatch)


@dataclass(slots=True)
class RankedItem:
    """One place of a list; ``score`` is None for an unknown item. The words are there where reasons were asked for."""

    item_id: str
    score: float | None
    reasons: tuple[str, ...] = ()
    title: str = ""
    category: str | None = None


@dataclass(slots=True, eq=False)
class Answer:
    """A ranked list, best first; ``fallback`` is None when all that it should rest on was there.

    ``features`` float32 [known items, features] are what the items were scored by; ``feature_list`` is the hash of
    their list. Without anything to rank with, ``bundle`` is empty. ``best_score`` says where a list's best score lies
    among the bundle's reference scores, 0 to 1; None for given items, an empty list, and a bundle without reference.
    """

    items: tuple[RankedItem, ...]
    bundle: str
    fallback: Fallback | None
    features: Floats
    feature_list: str = ""
    arm: ArmName = CHAMPION
    experiment: str | None = None
    best_score: float | None = None


def empty_answer(query: RankingQuery) -> Answer:
    """Return the answer of a service that has nothing to rank with."""
    features = np.empty((0, 0), dtype=np.float32)
    return Answer((), "", Fallback.STORE_UNAVAILABLE, features, arm=query.arm or CHAMPION)
