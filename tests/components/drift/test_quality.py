"""Ranking quality against the quality at promotion."""

import numpy as np
import pytest

from components.contracts.errors import FeatureError
from components.drift.quality import JudgedQuality, KnownOutcomes, compare_quality, mean_over_users
from components.drift.report import QualityDrift, Verdict


def ndcg(mean: float, users: int, seed: int = 0) -> np.ndarray:
    """NDCG per user: a third of users have none."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(users) < 1 / 3, 0.0, rng.beta(2, 2, users)) * (mean * 3)


def compared(
    mean: float, interval: tuple[float, float], live: np.ndarray, user: np.ndarray | None = None, **judged: float
) -> QualityDrift:
    reference = JudgedQuality(mean, *interval, **{"confidence": 0.95, "k": 10, **judged})  # type: ignore[arg-type]
    return compare_quality(KnownOutcomes(reference, live, np.arange(len(live)) if user is None else user))


def test_a_proven_fall_is_drift() -> None:
    drift = compared(0.15, (0.145, 0.155), ndcg(0.1, 1000))
    assert drift.verdict is Verdict.DRIFTED
    assert drift.reason.startswith("NDCG@10 0.1500 → 0.1")
    assert drift.difference_high is not None
    assert drift.difference_high < 0


def test_the_cut_is_the_one_that_was_judged() -> None:
    assert compared(0.15, (0.145, 0.155), ndcg(0.1, 1000), k=24).reason.startswith("NDCG@24 0.1500 → 0.1")


def test_a_fall_within_noise_or_a_rise_is_none() -> None:
    assert compared(0.11, (0.105, 0.115), ndcg(0.1, 120)).verdict is Verdict.STABLE
    assert compared(0.05, (0.045, 0.055), ndcg(0.1, 1000)).verdict is Verdict.STABLE


def test_a_fall_that_does_not_matter_is_none() -> None:
    live = np.full(100_000, 0.149)
    assert compared(0.15, (0.15, 0.15), live).verdict is Verdict.STABLE
    assert compared(0.15, (0.15, 0.15), live - 0.01).verdict is Verdict.DRIFTED


def test_unchanged_quality_seldom_alarms() -> None:
    alarms = sum(compared(0.1, (0.097, 0.103), ndcg(0.1, 200, seed)).verdict is Verdict.DRIFTED for seed in range(300))
    assert alarms <= 6


def test_an_interval_is_as_wide_as_its_confidence_makes_it() -> None:
    even = np.full(500, 0.14)
    widths = [compared(0.15, (0.14, 0.16), even, confidence=confidence).difference_high for confidence in (0.8, 0.99)]
    assert widths == pytest.approx([-0.01 + 2.3263 * 0.01 / 1.2816, -0.01 + 2.3263 * 0.01 / 2.5758], abs=1e-5)


def test_users_without_outcomes_do_not_count() -> None:
    drift = compared(0.1, (0.09, 0.11), np.concatenate([np.full(99, 0.1), np.full(500, np.nan)]))
    assert (drift.verdict, drift.users) == (Verdict.TOO_SMALL, 99)
    assert "at least 100 are needed" in drift.reason


def test_requests_of_one_user_are_one_draw() -> None:
    once = ndcg(0.1, 150)
    drift = compared(0.1, (0.09, 0.11), np.tile(once, 3), np.tile(np.arange(150), 3))
    alone = compared(0.1, (0.09, 0.11), once)
    assert (drift.users, drift.live_mean, drift.difference_high) == pytest.approx(
        (150, alone.live_mean, alone.difference_high)
    )
    few = compared(0.1, (0.09, 0.11), np.tile(once[:60], 3), np.tile(np.arange(60), 3))
    assert (few.verdict, few.users) == (Verdict.TOO_SMALL, 60)


def test_the_error_of_one_request_a_user_is_the_usual_one() -> None:
    values = ndcg(0.1, 200)
    assert mean_over_users(values, np.arange(200)) == pytest.approx((values.mean(), values.std(ddof=1) / np.sqrt(200)))


def test_an_interval_without_its_mean_is_refused() -> None:
    with pytest.raises(FeatureError, match="outside its interval"):
        compared(0.2, (0.0, 0.1), np.zeros(200))
