"""What a customer has bought, read from their online row."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.ranking.rows import UserRows
from components.ranking_service.answering.catalogue import Catalogue


@dataclass(frozen=True)
class PastPurchase:
    """A product in a customer's history: on how many shopping trips, and how long ago last."""

    item_id: str
    title: str
    category: str | None
    trips: int
    days_since_last: float


def purchases(
    user: UserRows, item_ids: NDArray[np.object_], catalogue: Catalogue, limit: int | None = None
) -> Sequence[PastPurchase]:
    """Return the history of the one user in ``user``, newest first, then by trips, at most ``limit`` products."""
    positions = user.arrays["history_item"].values
    trips = user.arrays["history_trips"].values
    days = user.arrays["history_days_since_last"].values
    newest = np.lexsort((positions, -trips, days))[:limit]
    return [
        PastPurchase(
            item_id=str(item_ids[position]),
            title=catalogue.title(position),
            category=catalogue.categories.of(position),
            trips=round(count),
            days_since_last=round(age, 2),
        )
        for position, count, age in zip(
            positions[newest].tolist(), trips[newest].tolist(), days[newest].tolist(), strict=True
        )
    ]
