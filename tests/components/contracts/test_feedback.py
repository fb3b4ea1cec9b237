"""The log suffices for exploration to come: what another ranking would have earned is found from it alone.

``propensities`` hold each shown item's probability of standing where it stood, and ``shadow_item_ids`` where another
ranking would have put it: inverse propensity weighting over items and places needs no more, nor any other column. Only
an estimate over whole lists at once would need the probability of the list, which is not the product of its places.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from components.contracts.feedback import SERVED, SERVED_EVENTS
from components.experiments.outcomes import find_hits

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ITEMS = ["a", "b", "c", "d"]
APPEAL = {"a": 0.1, "b": 0.2, "c": 0.4, "d": 0.8}
SEEN = np.array([1.0, 0.7, 0.5, 0.3])  # probability that a place is looked at
EXPLORED = 0.4  # share of the lists that are shuffled
SHADOW = ["d", "c", "b", "a"]


def explored_log(lists: int) -> tuple[pa.Table, pa.Table]:
    """Lists that show ITEMS in this order, but for those that are shuffled, and the clicks on them."""
    random = np.random.default_rng(6)
    served, events = [], []
    for number in range(lists):
        order = random.permutation(4) if random.random() < EXPLORED else np.arange(4)
        shown = [ITEMS[place] for place in order]
        propensities = [EXPLORED / 4 + (1 - EXPLORED) * (item == own) for item, own in zip(shown, ITEMS, strict=True)]
        row = {"request_id": f"r{number}", "event_time": NOON, "user_id": f"u{number}", "item_ids": shown}
        served.append(row | {"propensities": propensities, "shadow_arm": "challenger", "shadow_item_ids": SHADOW})
        clicked = random.random(4) < SEEN * [APPEAL[item] for item in shown]
        events += [
            {"event_type": "click", "event_time": NOON, "item_id": item, "request_id": f"r{number}"}
            for item, click in zip(shown, clicked, strict=True)
            if click
        ]
    return pa.Table.from_pylist(served, SERVED), pa.Table.from_pylist(events, SERVED_EVENTS)


def test_clicks_weighted_by_propensity_tell_what_an_unseen_ranking_would_have_earned() -> None:
    lists, events = explored_log(20_000)
    hits = find_hits(lists, events, timedelta(days=1))
    shown, shadow, propensity = (
        np.array(lists[name].to_pylist()) for name in ("item_ids", "shadow_item_ids", "propensities")
    )
    weight = (shown == shadow) / propensity
    clicked = np.zeros(shown.shape)
    clicked[hits.row, hits.position - 1] = 1
    truth = float(np.sum(SEEN * [APPEAL[item] for item in SHADOW]))
    assert np.sum(weight * clicked) / len(lists) == pytest.approx(truth, rel=0.05)
    assert clicked.sum() / len(lists) < 0.7 * truth
