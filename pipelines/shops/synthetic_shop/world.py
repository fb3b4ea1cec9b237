"""The made-up shop's world: its catalogue, its customers, and their true preferences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CATEGORIES = {
    "Pantry": ("Coffee", "Tea", "Pasta", "Snacks"),
    "Fresh": ("Fruit", "Vegetables", "Dairy", "Bakery"),
    "Household": ("Cleaning", "Laundry", "Paper", "Lighting"),
    "Care": ("Hair", "Skin", "Dental", "Baby"),
    "Leisure": ("Books", "Games", "Toys", "Garden"),
}
CONSUMED = ("Pantry", "Fresh", "Household", "Care")  # departments whose items run out and are bought again
BRANDS = ("Alder", "Birch", "Cedar", "Elm", "Hazel", "Larch", "Maple", "Rowan")
AGE_GROUPS = ("18-29", "30-44", "45-64", "65+")
REGIONS = ("north", "south", "east", "west")
NEVER = 10**6  # a day that does not come
SPREAD = 1.5  # standard deviation of a customer's utilities
NEED = 3.0  # what an item that has run out adds to its utility
SEASON_DAYS = 140  # launches and last days of sale fall into these first days


@dataclass(frozen=True)
class Size:
    """The size of a shop to make."""

    users: int = 400
    items: int = 150
    weeks: int = 20


@dataclass(frozen=True)
class Catalogue:
    """Items as columns: positions into ``CATEGORIES`` (flattened) and ``BRANDS``, prices, and days counted from 0.

    ``refill_days`` is how long one unit lasts, 0 for what is not used up; an item is on sale on the days from
    ``launch`` to before ``sold_out``.
    """

    category: Integers
    brand: Integers
    price: Floats
    refill_days: Floats
    launch: Integers
    sold_out: Integers

    def on_sale(self, day: int) -> NDArray[np.bool_]:
        """Return which items are on sale on a day."""
        return (self.launch <= day) & (day < self.sold_out)


@dataclass(frozen=True)
class People:
    """Customers as columns: positions into ``AGE_GROUPS`` and ``REGIONS``, first day, visits a day."""

    age_group: Integers
    region: Integers
    joined: Integers
    visits_a_day: Floats


@dataclass(frozen=True)
class World:
    """The catalogue, the customers, and the truth: ``utility`` is float64 [users, items], mean 0 for each customer."""

    catalogue: Catalogue
    people: People
    utility: Floats


def make_world(size: Size, seed: int) -> World:
    """Make a world; the same size and seed give the same world for any number of weeks."""
    catalogue = _catalogue(size.items, np.random.default_rng([seed, 1]))
    people = _people(size.users, np.random.default_rng([seed, 2]))
    return World(catalogue, people, _utility(catalogue, people, np.random.default_rng([seed, 3])))


def category_paths() -> list[tuple[str, str]]:
    """Return (department, category) by category position."""
    return [(department, category) for department, categories in CATEGORIES.items() for category in categories]


def _catalogue(items: int, random: np.random.Generator) -> Catalogue:
    paths = category_paths()
    category = random.permutation(np.arange(items) % len(paths))
    level = random.uniform(0.5, 2.5, len(paths))
    consumed = np.isin([paths[position][0] for position in category], CONSUMED)
    days = random.integers(1, SEASON_DAYS, size=(2, items))
    new, ending = random.random((2, items)) < np.array([[0.12], [0.08]])
    launch = np.where(new, days[0], 0)
    return Catalogue(
        category=category.astype(np.int64),
        brand=random.integers(0, len(BRANDS), items),
        price=np.round(np.exp(level[category] + random.normal(0, 0.4, items)), 2),
        refill_days=np.where(consumed, random.uniform(6, 28, items), 0.0),
        launch=launch,
        sold_out=np.where(ending & ~new, days[1], NEVER),
    )


def _people(users: int, random: np.random.Generator) -> People:
    late = random.random(users) < 0.15
    return People(
        age_group=random.integers(0, len(AGE_GROUPS), users),
        region=random.integers(0, len(REGIONS), users),
        joined=np.where(late, random.integers(1, SEASON_DAYS, users), 0),
        visits_a_day=np.clip(random.gamma(2.0, 0.11, users), 0.03, 0.9),
    )


def _utility(catalogue: Catalogue, people: People, random: np.random.Generator) -> Floats:
    """Return taste for categories, brands and price levels, plus what everybody likes, on one scale per customer."""
    users, categories = len(people.joined), len(category_paths())
    by_age = random.normal(0, 0.5, (len(AGE_GROUPS), categories))
    taste = random.normal(0, 0.6, (users, categories)) + by_age[people.age_group]
    loved = np.argsort(random.random((users, categories)), axis=1)[:, :4]
    np.put_along_axis(taste, loved, np.take_along_axis(taste, loved, axis=1) + 1.8, axis=1)
    brands = random.normal(0, 0.6, (users, len(BRANDS)))
    dear = _dearness(catalogue)
    wanted = random.normal(0, 0.8, (users, 1))
    liked = random.normal(0, 0.5, len(catalogue.price))
    total = taste[:, catalogue.category] + brands[:, catalogue.brand] - 0.5 * (dear - wanted) ** 2 + liked
    centred = total - total.mean(axis=1, keepdims=True)
    return SPREAD * centred / total.std(axis=1, keepdims=True)


def _dearness(catalogue: Catalogue) -> Floats:
    """Return how dear each item is beside the others of its category, clipped to ±2."""
    logs = np.log(catalogue.price)
    middle = np.array([_middle(logs[catalogue.category == each]) for each in range(len(category_paths()))])
    return np.clip((logs - middle[catalogue.category]) / 0.4, -2, 2)


def _middle(values: Sequence[float] | Floats) -> float:
    return float(np.mean(values)) if len(values) else 0.0
