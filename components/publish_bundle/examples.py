"""What a bundle would show to three customers, and why."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.bundles.batch import Batch, open_batch
from components.bundles.loading import handed_bundle
from components.contracts.example_customers import CustomerExample, PastItem, RecommendedItem
from components.contracts.handles import Handle
from components.contracts.tables import ITEMS
from components.features.inputs.catalogue import clean_rows_valid_at
from components.features.snapshots.sets import FeatureSet, open_set
from components.home.layout import Home
from components.home.storage.locations import Location
from components.lake.engine import open_workspace
from components.ranking.pair_columns import PairColumns
from components.ranking.pairs import Pairs, no_sources
from components.ranking.reasons import kinds_of, reasons
from components.ranking.recommending import Recommended

SHOPPERS = (0.95, 0.5, 0.05)  # of all customers, ordered by their shopping trips: a frequent, a usual, a rare one
PAST_ITEMS = 6


def customer_examples(
    home: Home, features: Handle, draft: Handle, say: Callable[[str], None]
) -> tuple[CustomerExample, ...]:
    """Recommend to a frequent, a usual and a rare customer, with the reasons in words.

    Nobody is recommended to when no customer is known.

    Raises:
        BundleError: the bundle was changed, or made with other feature definitions than the features.
    """
    say("recommending to three customers")
    feature_set = open_set(features)
    batch = open_batch(handed_bundle(draft), feature_set, _typical_users(feature_set))
    lists = batch.recommended(batch.bundle.manifest.k)
    catalogue = _catalogue(home.clean / "items", features.versions["items"], batch.as_of, _mentioned(batch, lists))
    return tuple(_example(batch, part, user, catalogue) for part in lists for user in np.unique(part.user))


def _typical_users(features: FeatureSet) -> list[str]:
    """Return ids of the customers at the places ``SHOPPERS``, in the order of all ids; none without users."""
    users = pq.read_table(features.newest("user_features"), columns=["user_id", "trips"], partitioning=None)
    trips = np.nan_to_num(users["trips"].to_numpy())
    order = np.argsort(trips, kind="stable")  # the rows are sorted by id
    places = {int(share * (len(order) - 1)) for share in SHOPPERS} if len(order) else set()
    return [users["user_id"][int(user)].as_py() for user in sorted(order[list(places)])]


def _mentioned(batch: Batch, lists: Sequence[Recommended]) -> list[str]:
    """Return ids of the items in the customers' histories and lists."""
    items = np.concatenate([batch.users.arrays["history_item"].values, *(part.item for part in lists)])
    return [str(item) for item in batch.items.item_ids[np.unique(items)]]


def _catalogue(
    table: Location, version: int, as_of: datetime, mentioned: Sequence[str]
) -> dict[str, dict[str, object]]:
    """Return what the catalogue said of each mentioned item at the as-of, by id."""
    with open_workspace() as space:
        items = space.delta_table(table, ITEMS, version)
        items = clean_rows_valid_at(items.filter(items.item_id.isin(mentioned)), "item_id", as_of)
        rows = space.stream(items.select("item_id", "category", "brand", "title")).read_all()
    return {str(row["item_id"]): row for row in rows.to_pylist()}


def _example(batch: Batch, part: Recommended, user: int, catalogue: dict[str, dict[str, object]]) -> CustomerExample:
    rows = np.flatnonzero(part.user == user)
    rows = rows[np.argsort(part.rank[rows])]
    pairs = Pairs(part.user[rows], part.item[rows], no_sources(len(rows)))
    kinds = kinds_of(batch.bundle.manifest.feature_names)
    added = batch.ranker.contributions_by(part.features[rows], kinds)
    reasons_of = reasons(PairColumns(batch.users, batch.items, pairs), added)
    own = set(_history(batch, user)[0].tolist())
    items = tuple(
        _recommended(batch, part, int(row), why, catalogue, new=int(part.item[row]) not in own)
        for row, why in zip(rows, reasons_of, strict=True)
    )
    return CustomerExample(str(batch.users.user_ids[user]), _about(batch, user), _past(batch, user, catalogue), items)


def _recommended(
    batch: Batch,
    part: Recommended,
    row: int,
    why: tuple[str, ...],
    catalogue: dict[str, dict[str, object]],
    new: bool,
) -> RecommendedItem:
    item_id = str(batch.items.item_ids[part.item[row]])
    entry = catalogue.get(item_id, {})
    return RecommendedItem(
        rank=int(part.rank[row]),
        item_id=item_id,
        title=_title(item_id, entry),
        score=round(float(part.score[row]), 4),
        reasons=why,
        category=" / ".join(_path(entry)) or None,
        brand=_text(entry.get("brand")),
        new_to_customer=new,
    )


def _about(batch: Batch, user: int) -> str:
    columns = batch.users.columns
    trips, tenure = columns["trips"][user], columns["tenure_days"][user]
    if np.isnan(trips) or np.isnan(tenure):
        return "no purchases yet"
    return f"{trips:.0f} shopping trips in {tenure / 7:.0f} weeks, {len(_history(batch, user)[0])} different items"


def _past(batch: Batch, user: int, catalogue: dict[str, dict[str, object]]) -> tuple[PastItem, ...]:
    items, trips, age = _history(batch, user)
    order = np.lexsort((items, -trips))[:PAST_ITEMS]
    history = []
    for entry in order:
        item_id = str(batch.items.item_ids[items[entry]])
        last = (batch.as_of - timedelta(days=float(age[entry]))).date().isoformat()
        history.append(PastItem(item_id, _title(item_id, catalogue.get(item_id, {})), int(trips[entry]), last))
    return tuple(history)


def _history(batch: Batch, user: int) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the user's items (positions), trips with each and days since the last."""
    arrays = batch.users.arrays
    span = slice(*arrays["history_item"].offsets[user : user + 2])
    return tuple(arrays[f"history_{name}"].values[span] for name in ("item", "trips", "days_since_last"))  # type: ignore[return-value]


def _title(item_id: str, entry: dict[str, object]) -> str:
    title = _text(entry.get("title"))
    if title:
        return title
    finest = _path(entry)[-1:] or [""]
    return ", ".join(part for part in (finest[0], _text(entry.get("brand"))) if part) or item_id


def _path(entry: dict[str, object]) -> list[str]:
    path = entry.get("category")
    return [str(part) for part in path if part] if isinstance(path, list) else []


def _text(value: object) -> str | None:
    return str(value) if value else None
