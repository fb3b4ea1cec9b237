"""Example recommendations: a few customers, what they did, what they would be shown and why.

A step that recommends keeps them as its fact ``examples``: a list of ``asdict(CustomerExample)``.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class PastItem:
    """An item of a customer's history, the most telling first."""

    item_id: str
    title: str  # what people read: the catalogue's title, else category and brand, else the id
    times: int  # how often it was bought (or met, in a shop without purchases)
    last: str | None = None  # ISO day of the last time


@dataclass(frozen=True)
class RecommendedItem:
    """One place of a recommended list."""

    rank: int  # from 1
    item_id: str
    title: str
    score: float
    reasons: tuple[str, ...]  # in words, the weightiest first: "bought 9 times, every 12 days; last 11 days ago"
    category: str | None = None
    brand: str | None = None
    price: float | None = None
    new_to_customer: bool | None = None
    happened: bool | None = None  # met with success in the held-out horizon; None when that is not known


@dataclass(frozen=True)
class CustomerExample:
    """One customer with a sample of their history and their list."""

    user_id: str
    about: str  # who this is, in words: "64 trips in 26 weeks, buys 31 different items"
    history: tuple[PastItem, ...]
    items: tuple[RecommendedItem, ...]


def examples_as_facts(examples: Iterable[CustomerExample]) -> list[dict[str, Any]]:
    """Turn examples into the JSON-able form of the fact ``examples``."""
    return [asdict(example) for example in examples]
