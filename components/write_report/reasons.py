"""Why an item stands in a customer's list, in words: read from the same rows that the ranker reads.

The ranker weighs many signals at once; these are the facts about customer and item that a person would name, the most
personal first. They are facts, not the ranker's arithmetic.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from components.ranking.rows import ItemRows, Ragged, UserRows
from components.write_report import formats

MOST_REASONS = 3
SEEN_DAYS = 14
BEST_SELLERS = 20
TREND = 1.5
NEW_DAYS = 28
STRONGEST = 20  # of the customer's own items, as seeds of "bought together"
NONE_IN_WORDS = "many weak signals together; none stands out"


class Reasons:
    """The reasons of one list after another; ``titles`` are what people read, by item position."""

    def __init__(self, users: UserRows, items: ItemRows, titles: dict[int, str], horizon_days: int) -> None:
        self.users, self.items, self.titles, self.horizon_days = users, items, titles, horizon_days

    def of(self, user: int, item: int) -> tuple[str, ...]:
        """Return up to three reasons, the most personal first; ``user`` and ``item`` are positions."""
        found = [
            *self._bought(user, item),
            *self._seen(user, item),
            *self._bought_together(user, item),
            *self._liked_category(user, item),
            *self._about_the_item(item),
        ]
        return tuple(found[:MOST_REASONS]) or (NONE_IN_WORDS,)

    def times_bought(self, user: int, item: int) -> int:
        """Return on how many trips the customer bought the item."""
        at = self._at(user, "history_item", item)
        return int(self._value("history_trips", at)) if at is not None else 0

    def days_since(self, user: int, item: int) -> float:
        """Return how many days ago the customer bought the item last; 0 when that is not known."""
        at = self._at(user, "history_item", item)
        days = self._value("history_days_since_last", at) if at is not None else 0.0
        return days if np.isfinite(days) else 0.0

    def _bought(self, user: int, item: int) -> Iterator[str]:
        times, at = self.times_bought(user, item), self._at(user, "history_item", item)
        if not times or at is None:
            return
        last, gap = self._value("history_days_since_last", at), self._value("history_gap", at)
        every = f", about every {_days(gap)}" if times > 2 and np.isfinite(gap) else ""
        yield f"bought {_times(times)}{every}; last {_ago(last)}"
        if times > 2 and gap - self.horizon_days <= last <= 2 * gap:
            yield "it is about time again"

    def _seen(self, user: int, item: int) -> Iterator[str]:
        if "seen_item" not in self.users.arrays or self.times_bought(user, item):
            return
        row = slice(*self.users.arrays["seen_item"].offsets[user : user + 2])
        places = self.items.positions(self.users.arrays["seen_item"].values[row].astype(np.int64))
        found = np.flatnonzero(places == item)
        if len(found):
            last = float(self.users.arrays["seen_days_since_last"].values[row][found[0]])
            if last <= SEEN_DAYS:
                yield f"looked at {_ago(last)}, not bought yet"

    def _bought_together(self, user: int, item: int) -> Iterator[str]:
        if "neighbour_item" not in self.items.arrays or self.times_bought(user, item):
            return
        history = _row(self.users.arrays["history_item"], user).astype(np.int64)
        strength = _row(self.users.arrays["history_decay_112"], user).astype(np.float64)
        for own in history[np.argsort(-strength, kind="stable")[:STRONGEST]]:
            near = self.items.positions(_row(self.items.arrays["neighbour_item"], int(own)).astype(np.int64))
            if item in near and int(own) in self.titles:
                yield f"often bought with {self.titles[int(own)]}"
                return

    def _liked_category(self, user: int, item: int) -> Iterator[str]:
        category = self._item("category", item)
        if not np.isfinite(category) or "category_code" not in self.users.arrays or self.times_bought(user, item):
            return
        found = np.flatnonzero(_row(self.users.arrays["category_code"], user) == category)
        if len(found):
            trips = int(_row(self.users.arrays["category_trips"], user)[found[0]])
            yield f"from a category bought {_times(trips)}"

    def _about_the_item(self, item: int) -> Iterator[str]:
        rank = self._best_sellers.get(item)
        if rank is not None:
            yield "the best seller of the last four weeks" if rank == 1 else f"best seller no. {rank} of four weeks"
        if self._item("trend", item) >= TREND:
            yield "sells more than it did before"
        if self._item("days_since_first_sale", item) <= NEW_DAYS:
            yield "new in the shop"
        if self._item("promotion_reach", item) > 0:
            yield "lately on promotion"

    @cached_property
    def _best_sellers(self) -> dict[int, int]:
        sold = np.nan_to_num(self.items.columns.get("purchases_28d", np.zeros(len(self.items), np.float32)))
        best = np.argsort(-sold, kind="stable")[:BEST_SELLERS]
        return {int(item): rank for rank, item in enumerate(best, start=1) if sold[item] > 0}

    def _at(self, user: int, array: str, item: int) -> int | None:
        if array not in self.users.arrays:
            return None
        start = int(self.users.arrays[array].offsets[user])
        found = np.flatnonzero(_row(self.users.arrays[array], user) == item)
        return start + int(found[0]) if len(found) else None

    def _value(self, array: str, at: int) -> float:
        return float(self.users.arrays[array].values[at]) if array in self.users.arrays else float("nan")

    def _item(self, column: str, item: int) -> float:
        return float(self.items.columns[column][item]) if column in self.items.columns else float("nan")


def _row(ragged: Ragged, row: int) -> NDArray[np.generic]:
    return ragged.values[ragged.offsets[row] : ragged.offsets[row + 1]]


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{formats.count(count)} times")


def _days(days: float) -> str:
    whole = max(1, round(days))
    return "day" if whole == 1 else f"{whole} days"


def _ago(days: float) -> str:
    whole = int(days)
    return "today" if whole == 0 else "yesterday" if whole == 1 else f"{whole} days ago"
