"""Leak tests: each may show that a good score is not to be trusted."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.bundles.scoring import Ranker
from components.contracts.ranking_examples import ExamplesManifest, Split
from components.contracts.verdict import Check
from components.evaluate_ranker.future_poison import LeakProbe


def check_times(manifest: ExamplesManifest, train: Split, heldout: Split) -> Check:
    """Check that every training outcome lay in the past when the held-out weeks began, and these end by the as-of."""
    horizon = timedelta(days=manifest.horizon_days)
    start = datetime.fromisoformat(manifest.heldout_start)
    train_end = max(datetime.fromisoformat(manifest.train_end), _last(train) + horizon)
    as_of = datetime.fromisoformat(manifest.as_of)
    first, last = pc.min(heldout.requests["request_time"]).as_py(), _last(heldout) + horizon
    passed = train_end <= start <= first and last <= as_of
    words = "each before the next" if passed else "which overlap: a later one was seen too early"
    reason = (
        f"training outcomes end {train_end:%Y-%m-%d %H:%M}, held-out requests start {first:%Y-%m-%d %H:%M} and their"
        f" outcomes end {last:%Y-%m-%d %H:%M}, the run stands at {as_of:%Y-%m-%d %H:%M}: {words} (times in UTC)"
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
        f"with everything after the request made absurd, {probe.changed:,} of {probe.values:,} feature values of"
        f" {probe.requests:,} requests changed{which}; none may"
    )
    return Check("leak_future", probe.changed == 0, reason)


def check_constant_gain(ranker: Ranker, manifest: ExamplesManifest, limit: float) -> Check:
    """Check that the trees do not live on features that cannot order the candidates of a request."""
    constant = np.isin(manifest.feature_names, manifest.request_constant)
    share = float(ranker.gain_shares()[constant].sum())
    reason = (
        f"{share:.1%} of the model's gain comes from features of the customer alone, which cannot tell items apart"
        f" ({int(constant.sum())} of {len(constant)}; limit {limit:.0%})"
    )
    return Check("leak_constant_gain", share <= limit, reason)


def _last(split: Split) -> datetime:
    return pc.max(split.requests["request_time"]).as_py()


def _request_keys(split: Split) -> list[tuple[str, int]]:
    times = split.requests["request_time"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return list(zip(split.requests["user_id"].to_pylist(), times.to_pylist(), strict=True))
