import numpy as np
import pytest

from components.ranking import resampling
from components.ranking.resampling import interval, resampled_means


def test_the_interval_is_as_wide_as_the_spread_of_user_means() -> None:
    random = np.random.default_rng(5)
    users = 400
    values = random.normal(0.3, 0.2, size=(users, 1))
    low, high = interval(resampled_means(values, np.arange(users), 4000, seed=1), 0.95)[:, 0]
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / np.sqrt(users), rel=0.1)
    assert low < values.mean() < high


def test_repeating_each_users_requests_does_not_narrow_the_interval() -> None:
    values = np.random.default_rng(5).normal(size=(100, 1))
    once = resampled_means(values, np.arange(100), 500, seed=1)
    thrice = resampled_means(np.repeat(values, 3, axis=0), np.repeat(np.arange(100), 3), 500, seed=1)
    np.testing.assert_allclose(once, thrice)


def test_a_user_weighs_as_many_requests_as_they_made() -> None:
    values, user = np.array([[0.0], [1.0], [1.0]]), np.array([0, 1, 1])
    means = set(np.round(resampled_means(values, user, 200, seed=0)[:, 0], 6).tolist())
    assert means == {0.0, round(2 / 3, 6), 1.0}


def test_columns_share_their_draws_so_that_differences_are_paired() -> None:
    values = np.random.default_rng(5).normal(size=(50, 1))
    means = resampled_means(np.hstack([values, values + 0.25]), np.arange(50), 100, seed=2)
    np.testing.assert_allclose(means[:, 1] - means[:, 0], 0.25)


def test_nan_leaves_a_request_out_of_its_column_alone() -> None:
    values = np.array([[1.0, np.nan], [1.0, 3.0]])
    means = resampled_means(values, np.array([0, 1]), 50, seed=0)
    assert set(means[:, 0].tolist()) == {1.0}
    assert set(means[~np.isnan(means[:, 1]), 1].tolist()) == {3.0}


def test_equal_seeds_give_equal_draws_in_pieces_or_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values, user = np.random.default_rng(1).normal(size=(30, 2)), np.arange(30)
    whole = resampled_means(values, user, 40, seed=9)
    monkeypatch.setattr(resampling, "DRAWS_AT_ONCE", 90)
    np.testing.assert_allclose(resampled_means(values, user, 40, seed=9), whole, rtol=1e-9)
    assert not np.allclose(resampled_means(values, user, 40, seed=10), whole)
