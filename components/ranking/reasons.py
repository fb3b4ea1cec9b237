"""Why an item is in a list, in the shop's words: the features that added most, in words."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from components.ranking.pair_columns import PairColumns

Tell = Callable[[PairColumns, int], str | None]  # the reason for one pair, or None when it says nothing

LOWER_PRICE = 0.97  # of the usual one: from here on a price is worth telling


def _own(p: PairColumns, row: int) -> str | None:
    trips = p.user_item("trips")[row]
    if np.isnan(trips):
        return None
    gap, age = p.user_item("gap")[row], p.user_item("days_since_last")[row]
    rhythm = "" if np.isnan(gap) else f", about every {_days(gap)}"
    return f"bought {_times(trips)}{rhythm}; last {_days(age)} ago"


def _category(p: PairColumns, row: int) -> str | None:
    trips = p.group("category", "trips")[row]
    return None if np.isnan(trips) else f"buys this kind of product: {_times(trips)} so far"


def _neighbour(p: PairColumns, row: int) -> str | None:
    return "goes with what they buy" if p.neighbour_weight[row] > 0 else None


def _seen(p: PairColumns, row: int) -> str | None:
    age = p.group("seen", "days_since_last")[row]
    return None if np.isnan(age) else f"looked at it {_days(age)} ago"


def _item(p: PairColumns, row: int) -> str | None:
    sold = p.item("purchases_7d")[row]
    return f"popular: sold {_times(sold)} last week" if sold > 0 else "known to sell"


def _price(p: PairColumns, row: int) -> str | None:
    relative = p.item("price_7d")[row] / p.item("price")[row]
    return f"{1 - relative:.0%} cheaper than usual last week" if relative < LOWER_PRICE else None


# By the first word of a feature's name; what is the same for all candidates explains no order.
REASONS: dict[str, Tell | None] = {
    "own": _own,
    "category": _category,
    "branded": _category,
    "neighbour": _neighbour,
    "seen": _seen,
    "item": _item,
    "price": _price,
    "user": None,
}


KINDS = tuple(name for name, tell in REASONS.items() if tell is not None)


def kinds_of(feature_names: Sequence[str]) -> tuple[int, ...]:
    """Return the place of each feature's kind in ``KINDS``; -1 for a feature that explains nothing."""
    words = [name.split("_")[0] for name in feature_names]
    return tuple(KINDS.index(word) if word in KINDS else -1 for word in words)


def reasons(columns: PairColumns, added: NDArray[np.float64], limit: int = 2) -> list[tuple[str, ...]]:
    """Tell for every pair its weightiest reasons, at most ``limit`` and at least one.

    ``added`` float64 [pairs, kinds]: what the features of each of ``KINDS`` added to the score.
    """
    order = np.argsort(-added, axis=1, kind="stable").tolist()
    return [_first_reasons(columns, row, [KINDS[kind] for kind in kinds], limit) for row, kinds in enumerate(order)]


def _first_reasons(columns: PairColumns, row: int, kinds: Sequence[str], limit: int) -> tuple[str, ...]:
    """Return the first reasons of a pair, each once; of kinds in the order of their weights."""
    reasons: list[str] = []
    for kind in kinds:
        tell = REASONS[kind]
        reason = tell(columns, row) if tell is not None else None
        if reason is not None and reason not in reasons:
            reasons.append(reason)
        if len(reasons) == limit:
            break
    return tuple(reasons)


def _times(count: float) -> str:
    return {1: "once", 2: "twice"}.get(round(count), f"{round(count):,} times")


def _days(days: float) -> str:
    return "1 day" if round(days) == 1 else f"{round(days)} days" if days >= 1 else "less than a day"
