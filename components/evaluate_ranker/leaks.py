"""Leak tests: reasons not to believe a good number."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.bundles.scoring import Ranker
from components.contracts.examples import ExamplesManifest, Split
from components.contracts.verdict import Check
from components.evaluate_ranker.future_poison import LeakProbe
from components.evaluate_ranker.heldout import Heldout
from components.ranking.metrics import ndcg, random_ndcg, ranked_lists

SHUFFLES = 5
SHUFFLED_REQUESTS = 300
JUDGED_REQUESTS = 500
KEPT_ADVANTAGE = 0.25
"""Largest part of the challenger's advantage over chance that models of shuffled labels may keep."""
SHUFFLE_TREES = {"objective": "rank:ndcg", "max_depth": 3, "eta": 0.3, "colsample_bytree": 0.5, "nthread": 1}
SHUFFLE_ROUNDS = 15


def check_times(manifest: ExamplesManifest, train: Split, heldout: Split) -> Check:
    """Check that every training outcome lay in the past when the held-out weeks began, and these end by the as-of."""
    horizon = timedelta(days=manifest.horizon_days)
    start = datetime.fromisoformat(manifest.heldout_start)
    train_end = max(datetime.fromisoformat(manifest.train_end), _last(train) + horizon)
    first, last = pc.min(heldout.requests["request_time"]).as_py(), _last(heldout) + horizon
    passed = train_end <= start <= first and last <= datetime.fromisoformat(manifest.as_of)
    words = "all within their order" if passed else "which overlap"
    reason = (
        f"training outcomes end {train_end:%Y-%m-%d %H:%M}, held-out requests start {first:%Y-%m-%d %H:%M} and their"
        f" outcomes end {last:%Y-%m-%d %H:%M} (as of {manifest.as_of}), {words}"
    )
    return Check("leak_times", passed, reason)


def check_overlap(train: Split, validation: Split, heldout: Split) -> Check:
    """Check that no held-out request was trained or tuned on."""
    seen = {key for split in (train, validation) for key in _request_keys(split)}
    shared = sum(key in seen for key in _request_keys(heldout))
    reason = f"{shared:,} of {len(heldout.requests):,} held-out requests were also trained or tuned on"
    return Check("leak_overlap", shared == 0, reason)


def check_future_poison(probe: LeakProbe | None) -> Check:
    """Check that features stayed the same when everything after their request was made absurd."""
    if probe is None or probe.values == 0:
        reason = "nobody recomputed features with the future poisoned, so a leak from the future cannot be ruled out"
        return Check("leak_future", False, reason)
    which = f" (in {', '.join(probe.changed_features)})" if probe.changed_features else ""
    reason = (
        f"with all rows after the request poisoned, {probe.changed:,} of {probe.values:,} feature values of"
        f" {probe.requests:,} requests changed{which}"
    )
    return Check("leak_future", probe.changed == 0, reason)


def check_constant_gain(ranker: Ranker, manifest: ExamplesManifest, limit: float) -> Check:
    """Check that the trees do not live on features that cannot order the candidates of a request."""
    constant = np.isin(manifest.feature_names, manifest.request_constant)
    share = float(ranker.gain_shares()[constant].sum())
    reason = (
        f"{share:.1%} of the trees' gain lies in features that cannot vary within a request"
        f" ({int(constant.sum())} of {len(constant)}; limit {limit:.0%})"
    )
    return Check("leak_constant_gain", share <= limit, reason)


def check_label_shuffle(train: Split, heldout: Heldout, scores: NDArray[np.floating], seed: int) -> Check:
    """Check that models of labels shuffled within their requests rank the held-out requests like chance."""
    chosen = _spread(np.flatnonzero(heldout.judged), JUDGED_REQUESTS)
    rows, request = _rows_of(heldout.request, chosen)
    labels, relevant = heldout.labels[rows], heldout.relevant[chosen]
    features = np.asarray(heldout.split.features[rows])

    def mean_ndcg(values: NDArray[np.floating]) -> float:
        return float(ndcg(ranked_lists(request, values, labels, relevant, heldout.k)).mean())

    chance = float(random_ndcg(request, labels, relevant, heldout.k).mean())
    shuffled = np.array([mean_ndcg(values) for values in _shuffled_scores(train, features, seed)])
    advantage, kept = mean_ndcg(scores[rows]) - chance, shuffled.mean() - chance
    noise = 2 * shuffled.std(ddof=1) / np.sqrt(SHUFFLES)
    passed = bool(kept <= max(KEPT_ADVANTAGE * advantage, noise))
    reason = (
        f"models of shuffled labels reach NDCG@{heldout.k} {shuffled.mean():.4f} where chance gives {chance:.4f}"
        f" and the challenger {chance + advantage:.4f}"
    )
    return Check("leak_label_shuffle", passed, reason)


def _shuffled_scores(train: Split, features: NDArray[np.float32], seed: int) -> list[NDArray[np.float32]]:
    import xgboost

    request = train.rows["request"].to_numpy()
    chosen = _spread(np.unique(request[train.rows["label"].to_numpy() > 0]), SHUFFLED_REQUESTS)
    rows, group = _rows_of(request, chosen)
    labels = (train.rows["label"].to_numpy()[rows] > 0).astype(np.float32)
    matrix = xgboost.QuantileDMatrix(np.asarray(train.features[rows]), missing=np.nan, nthread=1)
    matrix.set_group(np.bincount(group))
    scores = []
    for random in (np.random.default_rng([seed, number]) for number in range(SHUFFLES)):
        matrix.set_label(labels[np.lexsort((random.random(len(group)), group))])
        booster = xgboost.train(SHUFFLE_TREES | {"seed": seed}, matrix, SHUFFLE_ROUNDS)
        scores.append(booster.inplace_predict(features, predict_type="margin", missing=np.nan))
    return scores


def _spread(requests: NDArray[np.integer], most: int) -> NDArray[np.integer]:
    return requests[np.unique(np.linspace(0, len(requests) - 1, most).astype(int))]


def _rows_of(request: NDArray[np.integer], chosen: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the chosen requests, and those requests renumbered from 0."""
    rows = np.flatnonzero(np.isin(request, chosen))
    return rows, np.searchsorted(chosen, request[rows])


def _last(split: Split) -> datetime:
    return pc.max(split.requests["request_time"]).as_py()


def _request_keys(split: Split) -> list[tuple[str, int]]:
    times = split.requests["request_time"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return list(zip(split.requests["user_id"].to_pylist(), times.to_pylist(), strict=True))
