"""From point-in-time rows to ranking examples of one request time, with the slices that its requests belong to."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.build_training_set.sampling import Hashes, sampled_rows
from components.contracts.ranking_examples import REQUESTS, ROWS, Split
from components.ranking.baselines import baseline_scores
from components.ranking.candidates import SOURCES, bits_of, generate_candidates
from components.ranking.features import ranking_features
from components.ranking.pairs import Pairs
from components.ranking.rows import MISSING_POSITION, Floats, ItemRows, UserRows
from components.shop.settings import Candidates

COLD_TRIPS = 3
LIGHT_TRIPS = 12
REGULAR_TRIPS = 50
NEW_DAYS = 28


@dataclass(frozen=True)
class Recall:
    """The numbers of relevant items: all, those among the candidates, and those from each source."""

    relevant: int
    found: int
    by_source: dict[str, int]

    def __add__(self, other: "Recall") -> "Recall":
        by_source = {name: self.by_source[name] + other.by_source[name] for name in SOURCES}
        return Recall(self.relevant + other.relevant, self.found + other.found, by_source)


NO_RECALL = Recall(0, 0, dict.fromkeys(SOURCES, 0))


def examples_at(
    users: UserRows,
    items: ItemRows,
    outcome: pa.Table,
    time: datetime,
    limits: Candidates,
    hashes: Hashes,
    negatives: int | None,
) -> tuple[Split, Recall]:
    """Candidates, features and labels of all users at one request time.

    ``outcome`` has distinct (user_id, item_id). With ``negatives`` only so many rows without success are kept a
    request, chosen by ``hashes`` (one a user); features are computed before, from all candidates.
    """
    pairs = generate_candidates(users, items, limits)
    labels = _labels(users, items, pairs, outcome)
    features, baselines = ranking_features(users, items, pairs), baseline_scores(users, items, pairs)
    recall = _recall(pairs, labels, len(outcome))
    kept = np.arange(len(pairs)) if negatives is None else sampled_rows(pairs, labels, hashes, negatives)
    weights = _weights(pairs, labels, kept)
    rows = _rows(items, Pairs(pairs.user[kept], pairs.item[kept], pairs.sources[kept]), labels[kept], weights)
    split = Split(features[kept], baselines[kept], rows, _requests(users, outcome, time))
    return split, recall


def _labels(users: UserRows, items: ItemRows, pairs: Pairs, outcome: pa.Table) -> NDArray[np.bool_]:
    user = indices_in(outcome["user_id"], users.user_ids)
    item = indices_in(outcome["item_id"], items.item_ids)
    known = (user != MISSING_POSITION) & (item != MISSING_POSITION)
    wanted = user[known].astype(np.int64) * len(items) + item[known]
    return np.isin(pairs.user.astype(np.int64) * len(items) + pairs.item, wanted)


def indices_in(ids: pa.ChunkedArray, known: NDArray[np.object_]) -> NDArray[np.int32]:
    """Return where each id stands among the known ones; -1 for one that does not."""
    positions = pc.index_in(ids, value_set=pa.array(known, pa.string()))
    return positions.fill_null(MISSING_POSITION).to_numpy().astype(np.int32)


def _recall(pairs: Pairs, labels: NDArray[np.bool_], relevant: int) -> Recall:
    sources = pairs.sources[labels]
    by_source = {name: int(((sources & bits_of([name])) != 0).sum()) for name in SOURCES}
    return Recall(relevant, int(labels.sum()), by_source)


def _weights(pairs: Pairs, labels: NDArray[np.bool_], kept: NDArray[np.intp]) -> Floats:
    """Return the weight of each kept row: 1 for a success, else how many rows without success it stands for."""
    users = int(pairs.user.max(initial=-1)) + 1
    failures = np.bincount(pairs.user[~labels], minlength=users)
    kept_failures = np.bincount(pairs.user[kept][~labels[kept]], minlength=users)
    represented = failures / np.maximum(kept_failures, 1)
    return np.where(labels[kept], 1.0, represented[pairs.user[kept]]).astype(np.float32)


def _rows(items: ItemRows, pairs: Pairs, labels: NDArray[np.bool_], weights: Floats) -> pa.Table:
    ids = pa.array(items.item_ids, pa.string())
    return pa.table(
        {
            "request": pa.array(pairs.user),
            "item_id": ids.take(pa.array(pairs.item)),
            "item_position": pa.array(pairs.item),
            "label": pa.array(labels.astype(np.float32)),
            "weight": pa.array(weights),
            "position": pa.nulls(len(pairs), pa.int32()),
        },
        schema=ROWS,
    )


def _requests(users: UserRows, outcome: pa.Table, time: datetime) -> pa.Table:
    counts = np.bincount(indices_in(outcome["user_id"], users.user_ids), minlength=len(users))
    return pa.table(
        {
            "request": pa.array(np.arange(len(users), dtype=np.int32)),
            "user_id": pa.array(users.user_ids, pa.string()),
            "request_time": pa.array([time] * len(users), pa.timestamp("us", tz="UTC")),
            "relevant": pa.array(counts.astype(np.int32)),
            "slices": pa.array(request_slices(users), pa.list_(pa.string())),
        },
        schema=REQUESTS,
    )


def request_slices(users: UserRows) -> list[list[str]]:
    """Slices of each user: by trips so far (cold, light, regular or heavy), and ``new`` in their first weeks."""
    trips = np.nan_to_num(users.columns["trips"])
    by_trips = np.array(["cold", "light", "regular", "heavy"])[
        np.digitize(trips, [COLD_TRIPS + 0.5, LIGHT_TRIPS + 0.5, REGULAR_TRIPS + 0.5])
    ]
    new = users.columns["tenure_days"] <= NEW_DAYS
    return [[str(name), "new"] if fresh else [str(name)] for name, fresh in zip(by_trips, new, strict=True)]
