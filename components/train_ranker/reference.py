"""What a bundle remembers of its rows: reference sketches for drift and warm-up rows."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.bundles.scoring import Ranker
from components.bundles.warmup import Warmup
from components.contracts.handles import Handle
from components.contracts.ranking_examples import Split
from components.drift.event_rows import CleanEvents
from components.drift.kinds import ColumnKind
from components.drift.sketch_codec import sketches_to_json
from components.drift.sketches import Sketches, TableSketch, sketch_table
from components.features.snapshots.calendar import calendar
from components.home.layout import Home
from components.shop.settings import Shop

REFERENCE_ROWS = 100_000
WARMUP_ROWS = 64


def reference_sketches(ranker: Ranker, split: Split, feature_names: tuple[str, ...], events: TableSketch) -> bytes:
    """Sketch the features and scores of a split's candidates, evenly spread requests whole, at most 100,000 rows.

    ``events`` is the sketch of the events that the ranker learned from.
    """
    rows = spread_requests(split, REFERENCE_ROWS)
    features, baselines = np.asarray(split.features[rows]), np.asarray(split.baselines[rows])
    user = split.requests["user_id"].take(pa.array(split.rows["request"].to_numpy()[rows]))
    unit = user.combine_chunks() if isinstance(user, pa.ChunkedArray) else user
    columns = {name: features[:, column] for column, name in enumerate(feature_names)}
    return sketches_to_json(
        Sketches(
            {
                "features": sketch_table(_batch(columns, unit), dict.fromkeys(columns, ColumnKind.NUMERIC), "user_id"),
                "predictions": sketch_table(
                    _batch({"score": ranker.score(features, baselines)}, unit),
                    {"score": ColumnKind.NUMERIC},
                    "user_id",
                ),
                "data": events,
            }
        )
    )


def learned_events(shop: Shop, home: Home, examples: Handle) -> CleanEvents:
    """Return the events of the training and validation weeks."""
    start, end = calendar(shop, examples.moment).learned
    return CleanEvents(home.clean, examples.versions, start, end, known_at=examples.moment)


def warmup_rows(ranker: Ranker, split: Split) -> Warmup:
    """Take evenly spread rows of a split and the ranker's answers to them."""
    rows = np.unique(np.linspace(0, len(split.features) - 1, WARMUP_ROWS).astype(int))[: len(split.features)]
    features = np.ascontiguousarray(split.features[rows])
    baselines = np.ascontiguousarray(split.baselines[rows])
    return Warmup(features, baselines, ranker.score(features, baselines))


def spread_requests(split: Split, limit: int) -> NDArray[np.int64]:
    """Return rows of evenly spread requests, each whole: about ``most`` rows."""
    sizes = split.group_sizes
    if sizes.sum() <= limit:
        return np.arange(sizes.sum())
    step = int(np.ceil(sizes.sum() / limit))
    return np.flatnonzero(split.rows["request"].to_numpy() % step == 0)


def _batch(columns: dict[str, NDArray[np.float32]], user: pa.Array) -> Iterator[pa.RecordBatch]:
    arrays = {name: pa.array(values) for name, values in columns.items()}
    yield pa.RecordBatch.from_pydict(arrays | {"user_id": user})
