"""Logged impressions: the requests to train on, the items and positions that each showed, and the successes.

What counts as a success is what the shop file says: a click only where ``success`` names clicks. A shown item succeeded
when a success event carries its request's id, or when the same user had a success with it, within the horizon. Requests
without any success teach no order and are left out, as users without outcomes are.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.build_training_set.sampling import request_hashes
from components.contracts.handles import Handle
from components.contracts.moments import MICROSECOND, microseconds
from components.contracts.tables import CANONICAL
from components.features.inputs.encoded import valid_since
from components.features.inputs.positive_events import merchandise_only, positive_events
from components.features.settings import FeatureSettings
from components.home.storage.locations import parse_location
from components.lake.engine import open_workspace
from components.lake.workspace import Workspace

TABLES = ("events", "items", "impressions")
REQUEST = ("request_id", "user_id")


@dataclass(frozen=True)
class Window:
    """The impressions that count: requests in [first, last), each with a horizon for its successes."""

    first: datetime
    last: datetime
    horizon: timedelta
    as_of: datetime


@dataclass(frozen=True)
class ImpressionLog:
    """Requests with a success, and a reader of their impressions.

    ``requests`` has request_id, user_id and at (microseconds since 1970), sorted by time and ids; ``found`` counts
    requests in the window, with or without success.
    """

    space: Workspace
    shown: ir.Table
    requests: pa.Table
    found: int

    def sample(self, limit: int, seed: int) -> pa.Table:
        """Choose at most ``limit`` requests by the hash of their id and the seed, not by what else is in the log."""
        if len(self.requests) <= limit:
            return self.requests
        hashes = request_hashes(self.requests["request_id"].to_numpy(zero_copy_only=False), seed)
        return self.requests.take(pa.array(np.sort(np.argsort(hashes, kind="stable")[:limit])))

    def rows(self, requests: pa.Table, feature_list: str, features: int) -> pa.Table:
        """Return what was shown: request (index into ``requests``), item_id, position, label, features as served.

        Features are null unless they follow the named feature list and are as many; sorted by request and item id.
        """
        numbered = requests.append_column("request", pa.array(np.arange(len(requests), dtype=np.int32)))
        rows = self.shown.inner_join(self.space.memory_table(numbered.drop_columns("at")), list(REQUEST))
        fits = (rows.feature_list == feature_list) & (rows.features.length() == features)
        served = ibis.ifelse(fits, rows.features, ibis.null(rows.features.type()))
        chosen = rows.select("request", "item_id", "position", "label", features=served)
        return self.space.fetch(chosen.order_by("request", "item_id"))


@contextmanager
def impression_log(clean: Handle, window: Window, settings: FeatureSettings) -> Iterator[ImpressionLog]:
    """Open the impressions of a window, labelled with what followed."""
    with open_workspace() as space:
        folder = parse_location(clean.uri)
        tables = {name: space.delta_table(folder / name, CANONICAL[name], clean.versions.get(name)) for name in TABLES}
        shown = space.store("shown", _labelled(tables, window, settings))
        every = shown.group_by(REQUEST).agg(at=shown.at.min(), taught=shown.label.any())
        requests = space.fetch(every.order_by("at", *REQUEST))
        yield ImpressionLog(space, shown, requests.filter(requests["taught"]).drop_columns("taught"), len(requests))


def _labelled(tables: dict[str, ir.Table], window: Window, settings: FeatureSettings) -> ir.Table:
    """Return the merchandise that each request showed, an item once, with its label and its request's time."""
    rows = merchandise_only(_shown(tables["impressions"], window), tables["items"], window.as_of, settings)
    successes = positive_events(tables["events"], window.first, window.last + window.horizon, window.as_of, settings)
    successes = successes.select(
        "user_id", "item_id", event_request=successes.request_id, success=valid_since(successes.event_time)
    )
    by_user = _followed(rows, successes.drop("event_request"), ["user_id", "item_id"], window)
    answers = successes.select("item_id", "success", request_id="event_request")
    by_request = _followed(rows, answers, ["request_id", "item_id"], window)
    hits = by_user.union(by_request, distinct=True).mutate(label=True)
    keys = [*REQUEST, "item_id"]
    joined = rows.left_join(hits, keys)
    return joined.select(*rows.columns, label=joined.label.fill_null(False))


def _shown(impressions: ir.Table, window: Window) -> ir.Table:
    """Return an item once a request, where it stood highest; every row carries its request's first time."""
    rows = impressions.mutate(at=valid_since(impressions.event_time)).filter(
        lambda row: (row.at >= microseconds(window.first)) & (row.at < microseconds(window.last)),
        impressions.user_id.notnull(),
    )
    highest = ibis.row_number().over(group_by=[*REQUEST, "item_id"], order_by=[rows.position, rows.event_time])
    time = rows.at.min().over(group_by=list(REQUEST))
    kept = rows.mutate(highest=highest, at=time).filter(lambda row: row.highest == 0)
    return kept.select(*REQUEST, "item_id", "at", "position", "features", "feature_list")


def _followed(rows: ir.Table, successes: ir.Table, keys: list[str], window: Window) -> ir.Table:
    """Shown items that share the keys with a success in [time, time + horizon)."""
    joined = rows.inner_join(successes, keys)
    wait = joined.success - joined.at
    within = joined.filter((wait >= 0) & (wait < window.horizon // MICROSECOND))
    return within.select(*REQUEST, "item_id").distinct()


def served_features(rows: pa.Table, features: int) -> np.ndarray:
    """Features as served as float32 [rows, features], NaN for missing; every row must have them."""
    flat = pc.list_flatten(rows["features"].combine_chunks())
    values = pc.fill_null(flat.cast(pa.float32()), np.float32(np.nan)).to_numpy(zero_copy_only=False)
    matrix = np.array(values, dtype=np.float32).reshape(len(rows), features)
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix
