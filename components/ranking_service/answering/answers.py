"""What is asked of a recommender, and what it answers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from components.ranking.rows import Floats


class Fallback(StrEnum):
    """What an answer rests on where what it should rest on cannot be had; the gravest first."""

    NO_BUNDLE = "no_bundle"  # no bundle can be opened: a baseline ranks
    ARM_UNAVAILABLE = "arm_unavailable"  # the arm's bundle cannot be opened: the champion ranks
    STORE_UNAVAILABLE = "store_unavailable"  # the user's row cannot be read: what sells, ranked by the bundle
    ROWS_MISSING = "rows_missing"  # the store lost rows, the user's or items': ranked without them
    STALE_FEATURES = "stale_features"  # the item rows are older than their bound: ranked all the same
    EMPTY_CANDIDATES = "empty_candidates"  # nothing that the user is worth asking about is wanted: what sells best is
    SESSION_NEIGHBOURS = "session_neighbours"  # no row of the user: what goes with what they just looked at, first
    UNKNOWN_USER = "unknown_user"  # no row of the user: what sells, ranked by the bundle

    @classmethod
    def gravest(cls, *some: "Fallback | None") -> "Fallback | None":
        """The one of several that an answer names; None when there is none."""
        named = [found for found in some if found is not None]
        return min(named, key=list(cls).index) if named else None


@dataclass(frozen=True)
class Asked:
    """A request for a list: ``wanted`` [items] and ``sources`` narrow it, ``max_per_category`` replaces the rule's.

    ``any_stock`` sets the rule aside that only what is in stock is a candidate.
    """

    user_id: str
    k: int = 0
    exclude: Collection[str] = ()
    viewed: Sequence[str] = ()
    wanted: NDArray[np.bool_] | None = None
    sources: Sequence[str] | None = None
    max_per_category: int | None = None
    any_stock: bool = False
    explain: bool = False


@dataclass(frozen=True)
class RankedItem:
    """One place of a list; ``score`` is None for an item that is not known."""

    item_id: str
    score: float | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """A ranked list, best first; ``fallback`` is None when all that it should rest on was there.

    ``features`` float32 [known items, features] are what the items were scored by.
    """

    items: tuple[RankedItem, ...]
    bundle: str
    fallback: Fallback | None
    features: Floats
