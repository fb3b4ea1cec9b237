"""Whether ranking quality fell, once outcomes are known."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.contracts.errors import FeatureError
from components.drift.report import QualityDrift, Verdict
from components.drift.statistics import normal_quantile
from components.drift.thresholds import DriftThresholds

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class JudgedQuality:
    """The NDCG@k that a bundle was judged with: its mean and its interval of a confidence in 0..1."""

    mean: float
    low: float
    high: float
    confidence: float
    k: int

    @property
    def error(self) -> float:
        """Return the standard error that the interval stands for, taken as normal."""
        return (self.high - self.low) / (2 * normal_quantile((1 + self.confidence) / 2))


@dataclass(frozen=True, eq=False)
class KnownOutcomes:
    """Quality as judged, and live NDCG of the same k: float64 [requests], NaN without an outcome.

    ``user`` [requests] numbers each request's user from 0.
    """

    reference: JudgedQuality
    ndcg: Floats
    user: npt.NDArray[np.integer]


def compare_quality(outcomes: KnownOutcomes, thresholds: DriftThresholds | None = None) -> QualityDrift:
    """Compare the mean of live NDCG with the reference mean.

    Quality fell when live minus reference, at its upper bound with error probability ``false_alarm_rate``, is below
    ``-quality_fall`` of the reference mean. The bound is normal: users are independent, their requests are not, and a
    mean over a hundred users and more is close to normal; the reference's own uncertainty, read from its interval, is
    part of it. Raises ``FeatureError`` for an interval that does not hold the mean.
    """
    thresholds, reference = thresholds or DriftThresholds(), outcomes.reference
    if not reference.low <= reference.mean <= reference.high:
        interval = (reference.low, reference.high)
        raise FeatureError(f"quality: the reference mean {reference.mean} lies outside its interval {interval}")
    known = np.isfinite(outcomes.ndcg)
    users = len(np.unique(outcomes.user[known]))
    if users < max(thresholds.min_users, 2):
        reason = f"too few users with known outcomes to judge: {users}, at least {thresholds.min_users} are needed"
        return QualityDrift(Verdict.TOO_SMALL, reason, users, reference.mean)
    live_mean, live_error = mean_over_users(outcomes.ndcg[known], outcomes.user[known])
    width = normal_quantile(1 - thresholds.false_alarm_rate) * math.hypot(reference.error, live_error)
    difference = live_mean - reference.mean
    fell = difference + width < -thresholds.quality_fall * reference.mean
    moved = f"NDCG@{reference.k} {reference.mean:.4f} → {live_mean:.4f} over {users} users"
    return QualityDrift(
        verdict=Verdict.DRIFTED if fell else Verdict.STABLE,
        reason=f"{moved}; the fall is at least {-(difference + width):.4f}" if fell else f"{moved}; no proven fall",
        users=users,
        reference_mean=reference.mean,
        live_mean=live_mean,
        difference_low=difference - width,
        difference_high=difference + width,
    )


def mean_over_users(values: Floats, user: npt.NDArray[np.integer]) -> tuple[float, float]:
    """Return the mean of the requests' values and its standard error, in which a user's requests count as one draw.

    Source: the linearised variance of a ratio of cluster totals; Kish, "Survey Sampling" (1965), chapter 6.
    """
    mean = float(values.mean())
    draws = np.unique(user, return_inverse=True)[1]
    residuals = np.bincount(draws, weights=values - mean)
    users = len(residuals)
    return mean, math.sqrt(users / (users - 1) * float(residuals @ residuals)) / len(values)
