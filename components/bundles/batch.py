"""Batch recommendations: a bundle ranks for users as they stood at a feature set's as-of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.bundles.loading import Bundle, check_rankable, load_ranker
from components.bundles.scoring import Ranker
from components.features.snapshots.sets import FeatureSet
from components.lake.resources import usable_processors
from components.ranking.baselines import BASELINE_NAMES
from components.ranking.features import feature_list
from components.ranking.recommending import Recommended, recommend
from components.ranking.rows import ItemRows, UserRows, item_rows, user_rows
from components.shop.settings import Candidates, Rules

RECOMMENDATIONS = pa.schema(
    [("user_id", pa.string()), ("rank", pa.int32()), ("item_id", pa.string()), ("score", pa.float32())]
)


@dataclass(frozen=True)
class Batch:
    """A bundle's ranker together with the rows of one as-of."""

    bundle: Bundle
    ranker: Ranker
    users: UserRows
    items: ItemRows
    as_of: datetime

    def recommended(self, k: int) -> list[Recommended]:
        """Rank every user of the batch; lists of at most ``k`` items."""
        manifest = self.bundle.manifest
        candidates, rules = Candidates(**manifest.candidates), Rules(**manifest.rules)
        return list(recommend(self.ranker.score, self.users, self.items, candidates, rules, k))


def open_batch(bundle: Bundle, features: FeatureSet, user_ids: Sequence[str] | None = None) -> Batch:
    """Load a bundle and the rows of some users (``None``: all known ones, by id) at the set's as-of.

    A user without a row gets an empty history, so that the ranker answers from the items alone.

    Raises:
        BundleError: the bundle was made with other feature definitions, or its parts disagree.
    """
    check_rankable(bundle.manifest, feature_list(), features.revision)
    items = item_rows(pq.read_table(features.newest("item_features"), partitioning=None))
    table = pq.read_table(features.newest("user_features"), partitioning=None)
    users = user_rows(table if user_ids is None else _rows_of(table, user_ids), items)
    return Batch(bundle, load_ranker(bundle, usable_processors(), BASELINE_NAMES), users, items, features.as_of)


def recommend_users(
    bundle: Bundle, features: FeatureSet, user_ids: Sequence[str] | None = None, k: int | None = None
) -> pa.Table:
    """Recommend to users: columns user_id, rank (from 1), item_id, score; ``k`` defaults to the bundle's.

    Raises:
        BundleError: as ``open_batch``.
    """
    batch = open_batch(bundle, features, user_ids)
    parts = [_as_table(part, batch) for part in batch.recommended(k or bundle.manifest.k)]
    return pa.concat_tables(parts) if parts else RECOMMENDATIONS.empty_table()


def _rows_of(table: pa.Table, user_ids: Sequence[str]) -> pa.Table:
    """Return the users' rows in the order asked for; missing values for a user without a row."""
    at = pc.index_in(pa.array(user_ids, pa.string()), value_set=table["user_id"].combine_chunks())
    rows = table.take(at)
    return rows.set_column(rows.column_names.index("user_id"), "user_id", pa.array(user_ids, pa.string()))


def _as_table(part: Recommended, batch: Batch) -> pa.Table:
    order = np.lexsort((part.rank, part.user))
    columns = [
        pa.array(batch.users.user_ids[part.user[order]], pa.string()),
        pa.array(part.rank[order], pa.int32()),
        pa.array(batch.items.item_ids[part.item[order]], pa.string()),
        pa.array(part.score[order], pa.float32()),
    ]
    return pa.table(columns, schema=RECOMMENDATIONS)
