"""The behaviour of the made-up customers: visits, lists shown by an earlier policy, browsing, buying, running out."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines.shops.synthetic_shop.world import NEED, NEVER, Floats, Integers, Size, World

SHOWN = 10  # length of a shown list
EXPLORED = 0.15  # share of places that the earlier policy fills at random
LOOKED_AT = (np.arange(SHOWN) + 1.0) ** -0.8  # probability that a place of the list is looked at
PROMOTED = 0.08  # share of items on promotion in a week
PROMOTION_LIFT = 0.8  # what a promotion adds to utility
PROMOTION_PRICE = 0.8
BROWSED = 8  # most items that a visit looks for beside the list
RETURNED = 0.03
DAY = 86_400
VIEW, CLICK, CART, PURCHASE, RETURN = range(5)
NO_REQUEST = -1

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Events:
    """Events as columns; ``second`` counts from the first midnight, ``visit`` and ``request`` are running numbers."""

    second: Integers
    user: Integers
    item: Integers
    kind: Integers
    visit: Integers
    request: Integers
    price: Floats


@dataclass(frozen=True)
class Shown:
    """Impressions as columns: one row a place of a shown list."""

    second: Integers
    request: Integers
    user: Integers
    item: Integers
    position: Integers
    score: Floats
    propensity: Floats


@dataclass(frozen=True)
class History:
    """All that happened; ``promoted`` is [weeks, items], ``due`` [weeks + 1, users, items] the day an item runs out."""

    events: Events
    shown: Shown
    promoted: Flags
    due: NDArray[np.float32]


Table = TypeVar("Table", Events, Shown)


class Market:
    """The state that moves from day to day."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.seed = world, seed
        self.due = np.full(world.utility.shape, float(NEVER))
        self.bought = np.zeros(len(world.catalogue.price))
        self.interest = np.zeros((len(world.utility), int(world.catalogue.category.max()) + 1))
        self.visits = 0

    def promoted(self, week: int) -> Flags:
        """Return which items are on promotion in a week."""
        return np.random.default_rng([self.seed, 4, week]).random(len(self.bought)) < PROMOTED

    def live_through(self, day: int) -> tuple[Events, Shown]:
        """Let one day happen."""
        random = np.random.default_rng([self.seed, 5, day])
        people, promoted = self.world.people, self.promoted(day // 7)
        coming = (people.joined <= day) & (random.random(len(people.joined)) < people.visits_a_day)
        user = random.permutation(np.flatnonzero(coming))
        visit = self.visits + np.arange(len(user))
        self.visits += len(user)
        start = np.sort(random.integers(7 * 3600, 21 * 3600, len(user))) + day * DAY
        wanted = self.world.utility[user] + PROMOTION_LIFT * promoted
        wanted = np.where(self.world.catalogue.on_sale(day), wanted, -np.inf)
        shown = self._show(user, visit, start, wanted, random)
        price = self.world.catalogue.price * np.where(promoted, PROMOTION_PRICE, 1.0)
        met = np.concatenate([self._clicked(shown, wanted, random), self._sought(user, day, wanted, random)])
        events = self._events(met, user, visit, start, price, random)
        self._remember(events, day, random)
        return events, shown

    def _show(
        self, user: Integers, visit: Integers, start: Integers, wanted: Floats, random: np.random.Generator
    ) -> Shown:
        """Fill lists from the top with the policy's best or, now and then, any item; keep each place's probability."""
        score = self._policy_scores(user)
        free = np.isfinite(wanted)
        rows = np.arange(len(user))
        items, propensities = [], []
        for _ in range(SHOWN):
            best = np.argmax(np.where(free, score, -np.inf), axis=1)
            any_item = np.argmax(np.where(free, random.random(free.shape), -1.0), axis=1)
            item = np.where(random.random(len(user)) < EXPLORED, any_item, best)
            propensities.append(EXPLORED / free.sum(axis=1) + (1 - EXPLORED) * (item == best))
            items.append(item)
            free[rows, item] = False
        item = np.stack(items, axis=1).ravel()
        row = np.repeat(rows, SHOWN)
        return Shown(
            second=start[row],
            request=visit[row],
            user=user[row],
            item=item,
            position=np.tile(np.arange(1, SHOWN + 1), len(user)),
            score=score[row, item],
            propensity=np.stack(propensities, axis=1).ravel(),
        )

    def _policy_scores(self, user: Integers) -> Floats:
        """Score items as the earlier policy did: by sales, and by the categories that the customer met."""
        return np.log1p(self.bought) + 0.5 * np.log1p(self.interest[user])[:, self.world.catalogue.category]

    def _clicked(self, shown: Shown, wanted: Floats, random: np.random.Generator) -> Integers:
        """Return (visit row, item, from list, sure to buy) of what was looked at and clicked."""
        row = np.repeat(np.arange(len(wanted)), SHOWN)
        looked = random.random(len(row)) < np.tile(LOOKED_AT, len(wanted))
        liked = random.random(len(row)) < _logistic(1.2 * wanted[row, shown.item] - 1.5)
        return _met(row[looked & liked], shown.item[looked & liked], from_list=1, sure=0)

    def _sought(self, user: Integers, day: int, wanted: Floats, random: np.random.Generator) -> Integers:
        """Return what customers looked for by themselves: what has run out, and what they like."""
        out = (self.due[user] <= day) & np.isfinite(wanted) & (random.random(wanted.shape) < 0.8)
        row, item = np.nonzero(out)
        drawn = np.argsort(-(1.1 * wanted + random.gumbel(size=wanted.shape)), axis=1)[:, :BROWSED]
        number = np.minimum(random.poisson(3.0, len(user)), BROWSED)
        browsed = np.arange(BROWSED) < number[:, None]
        liked_row = np.repeat(np.arange(len(user)), number)
        return np.concatenate([_met(row, item, 0, sure=1), _met(liked_row, drawn[browsed], 0, sure=0)])

    def _events(
        self,
        met: Integers,
        user: Integers,
        visit: Integers,
        start: Integers,
        price: Floats,
        random: np.random.Generator,
    ) -> Events:
        """Turn meetings into views or clicks, carts, purchases and returns, in the order of each visit."""
        met = met[np.argsort(met[:, 0], kind="stable")]
        row, item, from_list, sure = met.T
        like = self.world.utility[user[row], item]
        carted = (sure == 1) | (random.random(len(row)) < _logistic(like - 2.0))
        bought = carted & ((sure == 1) | (random.random(len(row)) < 0.75))
        returned = bought & (random.random(len(row)) < RETURNED)
        chosen = [np.ones(len(row), dtype=bool), carted, bought, returned]
        met_as = np.where(from_list == 1, CLICK, VIEW)
        kinds = [met_as, *(np.full(len(row), kind) for kind in (CART, PURCHASE, RETURN))]
        waits = [np.zeros_like(row), 20, 600, DAY + 3600 * random.integers(1, 72, len(row))]
        at = start[row] + 30 * (np.arange(len(row)) - np.searchsorted(row, row))
        parts = [
            (at + wait, user[row], item, kind, visit[row], from_list, price[item])
            for kind, wait in zip(kinds, waits, strict=True)
        ]
        columns = [
            np.concatenate([part[column][keep] for part, keep in zip(parts, chosen, strict=True)])
            for column in range(len(parts[0]))
        ]
        second, users, items, kind, visits, listed, prices = columns
        request = np.where(listed == 1, visits, NO_REQUEST)
        order = np.lexsort((kind, items, second))
        return Events(*(each[order] for each in (second, users, items, kind, visits, request, prices)))

    def _remember(self, events: Events, day: int, random: np.random.Generator) -> None:
        """Keep what the policy learns from, and when what was bought runs out."""
        bought = events.kind == PURCHASE
        user, item = events.user[bought], events.item[bought]
        np.add.at(self.bought, item, 1.0)
        np.add.at(self.interest, (events.user, self.world.catalogue.category[events.item]), 1.0)
        lasts = self.world.catalogue.refill_days[item]
        again = (lasts > 0) & (random.random(len(item)) < _logistic(self.world.utility[user, item]))
        self.due[user, item] = np.where(again, day + lasts * random.lognormal(0, 0.2, len(item)), NEVER)


def simulate(world: World, size: Size, seed: int) -> History:
    """Let ``size.weeks`` weeks happen; the first weeks of a longer run are those of a shorter one."""
    market = Market(world, seed)
    due = np.empty((size.weeks + 1, *world.utility.shape), dtype=np.float32)
    days: list[tuple[Events, Shown]] = []
    for day in range(7 * size.weeks):
        if day % 7 == 0:
            due[day // 7] = market.due
        days.append(market.live_through(day))
    due[-1] = market.due
    return History(
        events=_within(_joined(Events, [events for events, _ in days]), 7 * size.weeks * DAY),
        shown=_joined(Shown, [shown for _, shown in days]),
        promoted=np.stack([market.promoted(week) for week in range(size.weeks)]),
        due=due,
    )


def true_scores(world: World, history: History, week: int) -> Floats:
    """Return what customers truly want in a week, float64 [users, items]; -inf for what is not on sale as it begins.

    This is the oracle's order: taste, the week's promotions, and what will have run out by its end. ``week`` may be
    the one after the last.
    """
    scores = world.utility + NEED * (history.due[week] <= 7 * week + 6)
    if week < len(history.promoted):
        scores = scores + PROMOTION_LIFT * history.promoted[week]
    return np.where(world.catalogue.on_sale(7 * week), scores, -np.inf)


def _joined(kind: type[Table], days: list[Table]) -> Table:
    return kind(*(np.concatenate([getattr(day, name) for day in days]) for name in kind.__dataclass_fields__))


def _within(events: Events, end: int) -> Events:
    """Leave out what would happen after the end: returns of the last days."""
    keep = events.second < end
    return Events(*(column[keep] for column in vars(events).values()))


def _met(row: Integers, item: Integers, from_list: int, sure: int) -> Integers:
    return np.stack([row, item, np.full(len(row), from_list), np.full(len(row), sure)], axis=1).astype(np.int64)


def _logistic(value: Floats) -> Floats:
    return 1 / (1 + np.exp(-value))
