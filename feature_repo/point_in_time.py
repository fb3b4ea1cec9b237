"""The data that a request may see: Feast's point-in-time join chooses snapshots, and the rows come from these.

Feast joins one narrow column, the snapshot's day; joining the wide rows themselves (hundreds of array elements each)
costs ten times the memory and gives the same rows, which a test holds.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.contracts.errors import FeatureError
from components.features.snapshots.sets import ENTITIES, FeatureSet
from components.features.snapshots.snapshot import snapshot_day
from components.features.views.view import CREATED_TIMESTAMP, SNAPSHOT_DAY
from components.home.layout import Home
from feature_repo.feast_import import import_feast

if TYPE_CHECKING:
    from feast import FeatureStore

Requests = Mapping[datetime, pa.Array]  # ids by request time


class PointInTime:
    """Point-in-time rows of a feature set."""

    def __init__(self, feature_set: FeatureSet, store: "FeatureStore") -> None:
        self.feature_set, self.store = feature_set, store

    def located(self, view: str, requests: Requests) -> dict[datetime, dict[datetime, pa.Array]]:
        """Return which snapshot holds each id's row at each request time: ids by snapshot, by request time.

        An id without a row that the request may see is left out.
        """
        entity = ENTITIES[view]
        asked = _entity_frame(requests, entity)
        joined = self.store.get_historical_features(
            entity_df=asked.to_pandas(), features=[f"{view}:{SNAPSHOT_DAY}"], filter_by_created_timestamp=True
        ).to_arrow()
        joined = joined.filter(pc.is_valid(joined[SNAPSHOT_DAY]))
        rows_by_request: dict[datetime, dict[datetime, pa.Array]] = {}
        for request in requests:
            rows = joined.filter(pc.equal(joined["event_timestamp"].cast(pa.timestamp("us", "UTC")), request))
            days = rows[SNAPSHOT_DAY].to_numpy().astype(np.float32)
            rows_by_request[request] = {
                day: rows[entity].filter(pa.array(days == snapshot_day(day))).combine_chunks()
                for day in self.feature_set.days
                if (days == snapshot_day(day)).any()
            }
        return rows_by_request

    def rows(self, view: str, request: datetime, located: Mapping[datetime, pa.Array]) -> pa.Table:
        """Return the rows of located ids, sorted by id.

        Raises:
            FeatureError: a row is newer than the request, or was not yet known then.
        """
        entity = ENTITIES[view]
        parts = [_taken(pq.read_table(self.feature_set.path(view, day)), entity, ids) for day, ids in located.items()]
        if not parts:
            return pq.read_schema(self.feature_set.newest(view)).empty_table()
        table = pa.concat_tables(parts)
        _check_known(view, table, max(located), request)
        return table.take(pc.sort_indices(table[entity])) if len(parts) > 1 else table


@contextmanager
def point_in_time(feature_set: FeatureSet, home: Home) -> Iterator[PointInTime]:
    """Open Feast over an immutable feature set, with a registry of its own."""
    import_feast()
    from feast import FeatureStore

    from feature_repo.definitions import definitions_of
    from feature_repo.repository import store_config

    with TemporaryDirectory(prefix="rankloop-registry-") as folder:
        store = FeatureStore(config=store_config(home, Path(folder) / "registry.db", feature_set.revision))
        store.apply(definitions_of(feature_set).objects)
        yield PointInTime(feature_set, store)


def _entity_frame(requests: Requests, entity: str) -> pa.Table:
    ids = pa.chunked_array(list(requests.values()), pa.string())
    times: NDArray[np.int64] = np.repeat(
        np.array([pa.scalar(time, pa.timestamp("us", "UTC")).value for time in requests], dtype=np.int64),
        [len(column) for column in requests.values()],
    )
    return pa.table({entity: ids, "event_timestamp": pa.array(times).cast(pa.timestamp("us", "UTC"))})


def _taken(table: pa.Table, entity: str, ids: pa.Array) -> pa.Table:
    if len(ids) == len(table):
        return table
    return table.filter(pc.is_in(table[entity], value_set=ids))


def _check_known(view: str, table: pa.Table, newest_snapshot: datetime, request: datetime) -> None:
    known = pc.max(table[CREATED_TIMESTAMP]).as_py()
    if newest_snapshot > request or (known is not None and known > request):
        newer = max(newest_snapshot, known or newest_snapshot)
        raise FeatureError(
            f"{view}: found a value of {newer.isoformat()} joined to a request of {request.isoformat()}, expected "
            "nothing newer than the request; the snapshots are not point-in-time: delete features/ in the home and "
            "run again"
        )
