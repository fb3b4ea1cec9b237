"""PSI, KS and their noise limits against numbers worked out by hand and tables of the literature."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.drift import statistics

counts = st.lists(st.integers(0, 1000), min_size=1, max_size=20)


def test_psi_of_a_hand_made_pair() -> None:
    # shares (.5, .5) → (.8, .2): .3 ln(1.6) + -.3 ln(.4) = .3 ln 4
    assert statistics.psi(np.array([50, 50]), np.array([80, 20])) == pytest.approx(0.3 * math.log(4))


def test_an_empty_bin_weighs_half_a_row() -> None:
    # shares (1, 0) → (.9, .1) of 100 rows: the empty bin counts as .005
    expected = -0.1 * math.log(0.9) + 0.095 * math.log(0.1 / 0.005)
    assert statistics.psi(np.array([1000, 0]), np.array([90, 10])) == pytest.approx(expected)


def test_ks_of_a_hand_made_pair() -> None:
    assert statistics.ks(np.array([2, 2, 4]), np.array([1, 0, 1])) == pytest.approx(0.25)
    assert statistics.ks(np.array([1, 1, 2]), np.array([0, 0, 5])) == pytest.approx(0.5)


@given(counts, counts)
def test_psi_and_ks_are_never_negative(left: list[int], right: list[int]) -> None:
    size = min(len(left), len(right))
    reference, live = np.array(left[:size]), np.array(right[:size])
    assert statistics.psi(reference, live) >= 0
    assert 0 <= statistics.ks(reference, live) <= 1


@given(counts, st.integers(1, 50))
def test_equal_shares_have_no_distance_at_any_size(left: list[int], times: int) -> None:
    reference = np.array(left)
    assert statistics.psi(reference, reference * times) == pytest.approx(0, abs=1e-12)
    assert statistics.ks(reference, reference * times) == pytest.approx(0, abs=1e-12)
    assert statistics.psi(reference, reference) == 0


@pytest.mark.parametrize(
    ("freedom", "probability", "table"),
    [(1, 0.95, 3.841), (3, 0.99, 11.345), (9, 0.95, 16.919), (9, 0.999, 27.877), (19, 0.99, 36.191)],
)
def test_the_critical_psi_matches_the_tables_of_chi_squared(freedom: int, probability: float, table: float) -> None:
    critical = statistics.psi_critical(freedom + 1, 200, 50, 1 - probability)
    assert critical == pytest.approx(table * (1 / 200 + 1 / 50), rel=5e-4)


def test_ks_critical_value_matches_the_table() -> None:
    assert statistics.ks_critical(100, 100, 0.05) == pytest.approx(1.358 * math.sqrt(2 / 100), rel=1e-3)


def test_noise_limits_shrink_with_the_window() -> None:
    for limit in (statistics.outside_critical, statistics.ks_critical):
        assert limit(10_000, 10_000, 1e-4) < limit(10_000, 1_000, 1e-4) < limit(10_000, 100, 1e-4)
    assert statistics.psi_critical(10, 1e4, 1e4, 1e-4) < statistics.psi_critical(10, 1e4, 100, 1e-4)
    assert statistics.rare_share_critical(0.01, 1e4, 1e-4) < statistics.rare_share_critical(0.01, 100, 1e-4)
    assert statistics.psi_critical(1, 10, 10, 0.01) == 0


def test_psi_of_equal_populations_keeps_to_its_distribution() -> None:
    rng = np.random.default_rng(0)
    shares = np.full(10, 0.1)
    pairs = zip(rng.multinomial(2000, shares, 2000), rng.multinomial(400, shares, 2000), strict=True)
    values = np.array([statistics.psi(reference, live) for reference, live in pairs])
    assert values.mean() == pytest.approx(statistics.psi_expectation(10, 2000, 400), rel=0.05)
    assert (values > statistics.psi_critical(10, 2000, 400, 0.05)).mean() == pytest.approx(0.05, abs=0.02)
