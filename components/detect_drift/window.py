"""The live window: the newest requests whose outcomes are known, and the live bundle's scores of their candidates."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.bundles.scoring import Ranker
from components.contracts.ranking_examples import ExamplesManifest, Split

USER = "user_id"


@dataclass(frozen=True)
class Window:
    """Requests and their candidates with scores, float32 [rows]; it lasts from the first request to the as-of."""

    rows: Split
    scores: NDArray[np.float32]
    start: datetime
    end: datetime

    def features(self, names: list[str]) -> pa.Table:
        """Return one row a candidate: its features by name, and its user."""
        columns = {name: self.rows.features[:, place] for place, name in enumerate(names)}
        return pa.table({**columns, USER: self._users})

    @property
    def predictions(self) -> pa.Table:
        """Return one row a candidate: its score and its user."""
        return pa.table({"score": self.scores, USER: self._users})

    @property
    def _users(self) -> pa.ChunkedArray:
        return self.rows.requests[USER].take(self.rows.rows["request"])


def newest_window(heldout: Split, manifest: ExamplesManifest, ranker: Ranker, days: int) -> Window:
    """Take the held-out requests of the last days before the as-of; without any, the window is as long as asked."""
    end = datetime.fromisoformat(manifest.as_of)
    asked = end - timedelta(days=days)
    rows = _requests_from(heldout, asked)
    start = pc.min(rows.requests["request_time"]).as_py() or asked
    return Window(rows, ranker.score(np.asarray(rows.features), np.asarray(rows.baselines)), start, end)


def _requests_from(split: Split, start: datetime) -> Split:
    """Return the requests from a moment on, numbered from 0."""
    chosen = pc.greater_equal(split.requests["request_time"], pa.scalar(start)).to_numpy(zero_copy_only=False)
    number = np.cumsum(chosen) - 1
    request = split.rows["request"].to_numpy()
    kept = np.flatnonzero(chosen[request]) if len(request) else np.empty(0, dtype=np.int64)
    rows = split.rows.take(pa.array(kept))
    place = rows.column_names.index("request")
    rows = rows.set_column(place, "request", pa.array(number[request[kept]], pa.int32()))
    return Split(split.features[kept], split.baselines[kept], rows, split.requests.filter(pa.array(chosen)))
