"""Ranking examples of logged impressions: with the features as served, or with those that a snapshot holds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.build_training_set.impressions import ImpressionLog, served_features
from components.build_training_set.requests import indices_in, request_slices
from components.contracts.moments import MICROSECOND, microseconds
from components.contracts.ranking_examples import REQUESTS, ROWS, Split
from components.contracts.steps.facts import ImpressionFacts
from components.features.snapshots.calendar import Calendar
from components.ranking.baselines import BASELINE_NAMES, baseline_scores
from components.ranking.candidates import generate_candidates, pairs_with
from components.ranking.features import FEATURE_NAMES, feature_list, ranking_features
from components.ranking.rows import MISSING_POSITION, ItemRows, item_rows, user_rows
from components.shop.settings import Candidates, Training
from feature_repo.point_in_time import PointInTime

BLOCK_REQUESTS = 2000
Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class ShownRequests:
    """Requests of the log (request_id, user_id, at) and their impressions; ``found`` counts those of the whole window.

    ``rows`` has request (index into ``requests``), item_id, position, label and features, null unless as served.
    """

    requests: pa.Table
    rows: pa.Table
    found: int

    def of(self, chosen: NDArray[np.bool_]) -> "ShownRequests":
        """Return some of the requests, renumbered from 0."""
        number = self.rows["request"].to_numpy()
        rows = self.rows.filter(pa.array(chosen[number]))
        renumbered = (np.cumsum(chosen) - 1)[number[chosen[number]]].astype(np.int32)
        rows = rows.set_column(0, "request", pa.array(renumbered))
        return ShownRequests(self.requests.filter(pa.array(chosen)), rows, self.found)

    @property
    def number(self) -> NDArray[np.int32]:
        """Return each row's request."""
        return self.rows["request"].to_numpy()

    @property
    def as_served(self) -> NDArray[np.bool_]:
        """Requests all of whose rows have features as served, [requests]."""
        missing = self.rows["features"].is_null().to_numpy()
        return np.bincount(self.number, weights=missing, minlength=len(self.requests)) == 0


def shown_requests(log: ImpressionLog, limit: int, training: Training) -> ShownRequests:
    """Read at most ``limit`` requests of the log, with the items that they showed."""
    requests = log.sample(limit, training.seed)
    return ShownRequests(requests, log.rows(requests, feature_list(), len(FEATURE_NAMES)), log.found)


class ShownBlocks:
    """Turns shown requests into blocks of a split, and counts the results in ``facts``."""

    def __init__(self, shown: ShownRequests, joined: PointInTime, when: Calendar, limits: Candidates) -> None:
        self.shown, self.joined, self.when, self.limits = shown, joined, when, limits
        self.facts = ImpressionFacts(shown.found, requests=0, rows=0, rows_as_served=0, left_out=0)

    def __iter__(self) -> Iterator[Split]:
        served = self.shown.as_served
        yield from self._counted(self._served_blocks(self.shown.of(served)), served=True)
        yield from self._counted(self._recomputed_blocks(self.shown.of(~served)), served=False)
        self.facts = replace(self.facts, left_out=len(self.shown.requests) - self.facts.requests)

    def _counted(self, blocks: Iterator[Split], served: bool) -> Iterator[Split]:
        for block in blocks:
            if len(block.requests):
                self.facts = replace(
                    self.facts,
                    requests=self.facts.requests + len(block.requests),
                    rows=self.facts.rows + len(block.rows),
                    rows_as_served=self.facts.rows_as_served + (len(block.rows) if served else 0),
                )
                yield block

    def _served_blocks(self, shown: ShownRequests) -> Iterator[Split]:
        for part in _parts(np.ones(len(shown.requests), dtype=bool)):
            some = shown.of(part)
            _, position = np.unique(some.rows["item_id"].to_numpy(zero_copy_only=False), return_inverse=True)
            features = served_features(some.rows, len(FEATURE_NAMES))
            baselines = np.zeros((len(some.rows), len(BASELINE_NAMES)), dtype=np.float32)
            nothing: list[list[str]] = [[] for _ in range(len(some.requests))]
            yield Split(features, baselines, _rows(some, position), _requests(some, nothing))

    def _recomputed_blocks(self, shown: ShownRequests) -> Iterator[Split]:
        days = self._snapshot_days(shown.requests["at"].to_numpy())
        feature_set = self.joined.feature_set
        known = [day for day in feature_set.days if (days == microseconds(day)).any()]
        ids = {day: pc.unique(shown.requests["user_id"].filter(pa.array(days == microseconds(day)))) for day in known}
        every = {day: feature_set.ids("item_features", day) for day in known}
        users = self.joined.located("user_features", ids) if known else {}
        items = self.joined.located("item_features", every) if known else {}
        for day in known:
            here = days == microseconds(day)
            for part in _parts(here):
                yield self._recomputed(shown.of(part), day, users[day], items[day])

    def _snapshot_days(self, at: Integers) -> NDArray[np.int64]:
        """Return the newest snapshot day not after each moment, in microseconds; as ``Calendar.snapshot_day``."""
        every, as_of = self.when.snapshot_every // MICROSECOND, microseconds(self.when.as_of)
        return np.asarray(as_of + (at - as_of) // every * every, dtype=np.int64)

    def _recomputed(self, shown: ShownRequests, day: datetime, users: Any, items: Any) -> Split:
        """Features of what was shown among all that could have been, from the snapshot of a day before it."""
        item_table = item_rows(self.joined.rows("item_features", day, items))
        table = self.joined.rows("user_features", day, users)
        shown = _known(shown, table["user_id"], item_table)
        row = pc.index_in(shown.requests["user_id"], value_set=table["user_id"].combine_chunks())
        user_table = user_rows(table.take(row), item_table)  # a row a request: a user may have several
        item = indices_in(shown.rows["item_id"], item_table.item_ids)
        keys = shown.number.astype(np.int64) * len(item_table) + item
        pairs = pairs_with(generate_candidates(user_table, item_table, self.limits), keys, len(item_table))
        at = np.searchsorted(pairs.user.astype(np.int64) * len(item_table) + pairs.item, keys)
        features = ranking_features(user_table, item_table, pairs)[at]
        baselines = baseline_scores(user_table, item_table, pairs)[at]
        slices = request_slices(user_table) if len(user_table) else []
        return Split(features, baselines, _rows(shown, item), _requests(shown, slices))


def _parts(chosen: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """Split chosen requests into masks of bounded size."""
    indices = np.flatnonzero(chosen)
    for first in range(0, len(indices), BLOCK_REQUESTS):
        part = np.zeros(len(chosen), dtype=bool)
        part[indices[first : first + BLOCK_REQUESTS]] = True
        yield part


def _known(shown: ShownRequests, users: pa.ChunkedArray, items: ItemRows) -> ShownRequests:
    """Return rows of users and items that the snapshot holds, of requests that keep a success among them."""
    user = pc.is_in(shown.requests["user_id"], value_set=users.combine_chunks()).to_numpy()
    kept = user[shown.number] & (indices_in(shown.rows["item_id"], items.item_ids) != MISSING_POSITION)
    left = ShownRequests(shown.requests, shown.rows.filter(pa.array(kept)), shown.found)
    successes = np.bincount(left.number, weights=left.rows["label"].to_numpy(), minlength=len(left.requests))
    return left.of(successes > 0)


def _rows(shown: ShownRequests, item: Integers) -> pa.Table:
    return pa.table(
        {
            "request": shown.rows["request"],
            "item_id": shown.rows["item_id"],
            "item_position": pa.array(item.astype(np.int32)),
            "label": shown.rows["label"].cast(pa.float32()),
            "weight": pa.array(np.ones(len(item), dtype=np.float32)),
            "position": shown.rows["position"],
        },
        schema=ROWS,
    )


def _requests(shown: ShownRequests, slices: list[list[str]]) -> pa.Table:
    relevant = np.bincount(shown.number, weights=shown.rows["label"].to_numpy(), minlength=len(shown.requests))
    return pa.table(
        {
            "request": pa.array(np.arange(len(shown.requests), dtype=np.int32)),
            "user_id": shown.requests["user_id"],
            "request_time": shown.requests["at"].cast(pa.timestamp("us", tz="UTC")),
            "relevant": pa.array(relevant.astype(np.int32)),
            "slices": pa.array(slices, pa.list_(pa.string())),
        },
        schema=REQUESTS,
    )
