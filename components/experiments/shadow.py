"""The lists of a shadow: how they differ from the champion's, and where they had the clicked items."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.experiments.outcomes import Hits
from components.experiments.statistics import Rate, rates_over_users

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class ShadowReadout:
    """A shadow beside the lists that were shown instead.

    ``overlap`` is the share of a list that both hold, ``rank_correlation`` Spearman's over the items that both hold, of
    lists with two or more. ``higher``, ``same``, ``lower`` and ``missing`` say where the shadow had the clicked items,
    as shares of the clicks; ``reciprocal_rank_gain`` is 1 / its position - 1 / the shown one, in the mean of clicks.
    """

    arm: str
    lists: int
    clicks: int
    overlap: Rate
    rank_correlation: Rate
    higher: Rate
    same: Rate
    lower: Rate
    missing: Rate
    reciprocal_rank_gain: Rate


def read_shadow(lists: pa.Table, chosen: NDArray[np.bool_], hits: Hits) -> ShadowReadout | None:
    """Compare the chosen lists, rows as ``SERVED``, with the shadow's; None if it ranked none of them.

    Only what was shown could be clicked, the more so the higher it stood: clicks favour the shown list.
    """
    chosen = chosen & lists["shadow_arm"].is_valid().to_numpy()
    if not chosen.any():
        return None
    rows = np.flatnonzero(chosen)
    both = lists.select(["user_id", "item_ids", "shadow_arm", "shadow_item_ids"]).filter(pa.array(chosen))
    there = list(_positions(both))
    user = both["user_id"].to_numpy()
    alike = {
        "overlap": np.array([np.mean(places > 0) if len(places) else np.nan for places in there]),
        "rank_correlation": np.array([_rank_correlation(places) for places in there]),
    }
    clicked = np.unique(np.stack([hits.row, hits.position])[:, hits.clicked & chosen[hits.row]], axis=1)
    at, shown = np.searchsorted(rows, clicked[0]), clicked[1]
    shadow = np.array([there[row][place - 1] for row, place in zip(at, shown, strict=True)], dtype=np.int64)
    gain = np.divide(1.0, shadow, out=np.zeros(len(shadow)), where=shadow > 0) - 1 / shown
    moves = {
        "higher": (shadow > 0) & (shadow < shown),
        "same": shadow == shown,
        "lower": shadow > shown,
        "missing": shadow == 0,
        "reciprocal_rank_gain": gain,
    }
    rates = rates_over_users(alike, user) | rates_over_users(moves, user[at])
    return ShadowReadout(str(both["shadow_arm"][-1]), len(rows), len(shadow), **rates)


def _positions(both: pa.Table) -> Iterator[Integers]:
    """Yield where the shadow had each item of each shown list, from 1; 0 where it had it not."""
    for batch in both.to_batches():
        for shown, shadow in zip(batch["item_ids"].to_pylist(), batch["shadow_item_ids"].to_pylist(), strict=True):
            position = {item: place for place, item in enumerate(shadow or (), start=1)}
            yield np.array([position.get(item, 0) for item in shown], dtype=np.int64)


def _rank_correlation(there: Integers) -> float:
    """Spearman's correlation of the shown order with the shadow's over the items of both; NaN for fewer than two."""
    common = there[there > 0]
    count = len(common)
    if count < 2:
        return float("nan")
    apart = np.argsort(np.argsort(common)) - np.arange(count)
    return float(1 - 6 * np.sum(apart**2) / (count * (count**2 - 1)))
