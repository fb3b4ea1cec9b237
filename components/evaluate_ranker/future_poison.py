"""The future-value poison: replace everything that a request could not know by absurd values, and recompute features.

The examples came from snapshots of the true tables through the point-in-time join. Here one held-out request time is
computed again from tables whose rows from that time on carry other items, quantities, prices and promotions. If a
candidate or a feature differs from the examples, something looked ahead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.contracts.ranking_examples import ExamplesManifest, Split
from components.features.inputs.moment import utc
from components.features.settings import FeatureSettings, feature_settings
from components.features.snapshots.calendar import calendar
from components.features.snapshots.plan import run_plan, snapshot_plan
from components.features.snapshots.workspace import Workspace, clean_workspace
from components.home.storage.locations import Location
from components.ranking.candidates import generate_candidates
from components.ranking.features import ranking_features
from components.ranking.rows import item_rows, user_rows
from components.shop.settings import Shop

PROBED_USERS = 100
ABSURD = 1000.0


@dataclass(frozen=True)
class LeakProbe:
    """The numbers of requests and feature values that were recomputed, and of those that changed."""

    requests: int
    values: int
    changed: int
    changed_features: tuple[str, ...] = ()


def probe_future(
    shop: Shop, clean: Location, versions: Mapping[str, int], manifest: ExamplesManifest, heldout: Split
) -> LeakProbe | None:
    """Recompute the first held-out requests' rows with the future poisoned; None when there are no requests.

    ``clean`` is the folder of the clean Delta tables and ``versions`` what the examples were built from.
    """
    if not len(heldout.requests):
        return None
    time = pc.min(heldout.requests["request_time"]).as_py()
    requests = np.flatnonzero(pc.equal(heldout.requests["request_time"], time).to_numpy(zero_copy_only=False))
    requests = requests[np.unique(np.linspace(0, len(requests) - 1, PROBED_USERS).astype(int))]
    day = calendar(shop, datetime.fromisoformat(manifest.as_of)).snapshot_day(time)
    with clean_workspace(clean, versions) as space:
        views = PoisonedWorkspace(space, time, feature_settings(shop)).snapshots(day, feature_settings(shop))
    item_table, users = item_rows(views["item_features"]), views["user_features"]
    asked = heldout.requests["user_id"].take(pa.array(requests)).combine_chunks()
    user_table = user_rows(users.take(pc.index_in(asked, value_set=users["user_id"].combine_chunks())), item_table)
    pairs = generate_candidates(user_table, item_table, shop.candidates)
    features = ranking_features(user_table, item_table, pairs)
    return _compared(requests[pairs.user], item_table.item_ids[pairs.item], features, requests, heldout, manifest)


def poisoned(clean: Mapping[str, ir.Table], time: datetime, settings: FeatureSettings) -> dict[str, ir.Table]:
    """Replace values that were not known at a time by absurd ones, except those known ahead by the shop file."""
    events, promotions = clean["events"], clean["promotions"]
    later = (events.event_time >= utc(time)) | (events.available_at > utc(time))
    other = events.item_id.max().as_scalar()
    tables = dict(clean)
    tables["events"] = events.mutate(
        item_id=ibis.ifelse(later, other, events.item_id),
        quantity=ibis.ifelse(later, events.quantity.fill_null(1.0) * ABSURD, events.quantity),
        price=ibis.ifelse(later, events.price.fill_null(1.0) * ABSURD, events.price),
        list_price=ibis.ifelse(later, events.list_price.fill_null(1.0) * ABSURD, events.list_price),
    )
    if not settings.promotions_known_ahead:
        reach = ibis.ifelse(promotions.starts_at >= utc(time), 1.0, promotions.reach)
        tables["promotions"] = promotions.mutate(reach=reach)
    return tables


class PoisonedWorkspace:
    """A workspace whose clean tables are poisoned from a time on."""

    def __init__(self, space: Workspace, time: datetime, settings: FeatureSettings) -> None:
        self.clean = poisoned(space.clean, time, settings)
        self.at, self.store, self.fetch = space.at, space.store, space.fetch

    def snapshots(self, day: datetime, settings: FeatureSettings) -> dict[str, pa.Table]:
        """Compute both views at a day, by name."""
        return {view.name: rows for view, rows in run_plan(snapshot_plan(self, settings), self, day)}


def _compared(
    request: NDArray[np.integer],
    item: NDArray[np.object_],
    features: NDArray[np.float32],
    requests: NDArray[np.integer],
    heldout: Split,
    manifest: ExamplesManifest,
) -> LeakProbe:
    """Compare recomputed rows (``request``, ``item`` and ``features`` by row) with those of the examples."""
    rows = np.flatnonzero(np.isin(heldout.rows["request"].to_numpy(), requests))
    table = heldout.rows.take(pa.array(rows))
    known = np.asarray(heldout.features[rows])
    same = np.array_equal(table["request"].to_numpy(), request) and table["item_id"].to_pylist() == item.tolist()
    if not same:
        return LeakProbe(len(requests), known.size, known.size, ("the candidates",))
    changed = ~((features == known) | (np.isnan(features) & np.isnan(known)))
    names = tuple(np.array(manifest.feature_names)[changed.any(axis=0)].tolist())
    return LeakProbe(len(requests), known.size, int(changed.sum()), names)
