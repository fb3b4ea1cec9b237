"""Ranking quality against the quality at promotion."""

import numpy as np
import pytest

from components.contracts.errors import FeatureError
from components.drift.quality import compare_quality
from components.drift.report import Verdict


def ndcg(mean: float, users: int, seed: int = 0) -> np.ndarray:
    """NDCG per user: a third of users have none."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(users) < 1 / 3, 0.0, rng.beta(2, 2, users)) * (mean * 3)


def test_a_proven_fall_is_drift() -> None:
    drift = compare_quality(0.15, (0.145, 0.155), ndcg(0.1, 1000))
    assert drift.verdict is Verdict.DRIFTED
    assert drift.reason.startswith("NDCG@10 0.1500 → 0.1")
    assert drift.difference_high is not None
    assert drift.difference_high < 0


def test_a_fall_within_noise_or_a_rise_is_none() -> None:
    assert compare_quality(0.11, (0.105, 0.115), ndcg(0.1, 120)).verdict is Verdict.STABLE
    assert compare_quality(0.05, (0.045, 0.055), ndcg(0.1, 1000)).verdict is Verdict.STABLE


def test_a_fall_that_does_not_matter_is_none() -> None:
    live = np.full(100_000, 0.149)
    assert compare_quality(0.15, (0.15, 0.15), live).verdict is Verdict.STABLE
    assert compare_quality(0.15, (0.15, 0.15), live - 0.01).verdict is Verdict.DRIFTED


def test_unchanged_quality_seldom_alarms() -> None:
    alarms = sum(
        compare_quality(0.1, (0.097, 0.103), ndcg(0.1, 200, seed)).verdict is Verdict.DRIFTED for seed in range(300)
    )
    assert alarms <= 6


def test_users_without_outcomes_do_not_count() -> None:
    drift = compare_quality(0.1, (0.09, 0.11), np.concatenate([np.full(99, 0.1), np.full(500, np.nan)]))
    assert (drift.verdict, drift.users) == (Verdict.TOO_SMALL, 99)
    assert "at least 100 are needed" in drift.reason


def test_an_interval_without_its_mean_is_refused() -> None:
    with pytest.raises(FeatureError, match="outside its interval"):
        compare_quality(0.2, (0.0, 0.1), np.zeros(200))
