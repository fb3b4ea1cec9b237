"""Whether ranking quality fell, once outcomes are known."""

import math

import numpy as np
import numpy.typing as npt

from components.contracts.errors import FeatureError
from components.drift.report import QualityDrift, Verdict
from components.drift.statistics import normal_quantile
from components.drift.thresholds import DriftThresholds


def compare_quality(
    reference_mean: float,
    reference_ci95: tuple[float, float],
    live_ndcg: npt.NDArray[np.float64],
    thresholds: DriftThresholds | None = None,
) -> QualityDrift:
    """Compare live NDCG per user, float64 of shape (users,), with the reference mean and its 95 % interval.

    Quality fell when live minus reference, at its upper bound with error probability ``false_alarm_rate``, is below
    ``-quality_fall`` of the reference mean. Users without an outcome are NaN and do not count. The bound is normal:
    users are independent and a mean of hundreds of values in 0..1 is close to normal; the reference's own
    uncertainty, read from its interval, is part of it. Raises ``FeatureError`` for an interval that does
    not hold the mean.
    """
    thresholds = thresholds or DriftThresholds()
    low, high = reference_ci95
    if not low <= reference_mean <= high:
        raise FeatureError(f"quality: the reference mean {reference_mean} lies outside its interval {reference_ci95}")
    known = live_ndcg[np.isfinite(live_ndcg)]
    users = len(known)
    if users < max(thresholds.min_users, 2):
        reason = f"too few users with known outcomes to judge: {users}, at least {thresholds.min_users} are needed"
        return QualityDrift(Verdict.TOO_SMALL, reason, users, reference_mean)
    live_mean = float(known.mean())
    error = math.hypot((high - low) / (2 * normal_quantile(0.975)), float(known.std(ddof=1)) / math.sqrt(users))
    width = normal_quantile(1 - thresholds.false_alarm_rate) * error
    difference = live_mean - reference_mean
    fell = difference + width < -thresholds.quality_fall * reference_mean
    moved = f"NDCG@10 {reference_mean:.4f} → {live_mean:.4f} over {users} users"
    return QualityDrift(
        verdict=Verdict.DRIFTED if fell else Verdict.STABLE,
        reason=f"{moved}; the fall is at least {-(difference + width):.4f}" if fell else f"{moved}; no proven fall",
        users=users,
        reference_mean=reference_mean,
        live_mean=live_mean,
        difference_low=difference - width,
        difference_high=difference + width,
    )
