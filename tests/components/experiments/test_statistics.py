"""A known lift is found, none is not, and arms that hold other users than they should are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from components.experiments.statistics import (
    LEAST_EXPECTED,
    MIN_USERS,
    Lift,
    compare_arms,
    rates_over_users,
    sample_ratio,
)

USERS = 1000
RATES = {"champion": 0.2, "challenger": 0.2, "baseline": 0.2}


def clicks(seed: int, users: int = USERS, **changed: float) -> tuple[NDArray, NDArray, NDArray]:
    """Arm, user and click of each list: users differ in how many they see and how much they like what they see."""
    random = np.random.default_rng(seed)
    arm = random.choice(list(RATES), users, p=[0.4, 0.3, 0.3])
    user = np.repeat(np.arange(users), random.geometric(0.3, users))
    rate = np.array([(RATES | changed)[name] for name in arm]) * random.gamma(4, 1 / 4, users)
    return arm[user], user, (random.random(len(user)) < rate[user]).astype(float)


def lifts(seed: int, users: int = USERS, **changed: float) -> dict[str, Lift]:
    arm, user, clicked = clicks(seed, users, **changed)
    comparison = compare_arms(arm, user, {"clicked": clicked}, resamples=400)
    return {name: one.lift["clicked"] for name, one in comparison.items() if one.lift}


def test_a_known_lift_is_found_with_its_sign_and_size() -> None:
    found = [lifts(seed, users=3000, challenger=0.3, baseline=0.1) for seed in range(20)]
    assert {one["challenger"].sign for one in found} == {"higher"}
    assert {one["baseline"].sign for one in found} == {"lower"}
    assert np.mean([one["challenger"].relative or 0 for one in found]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([one["baseline"].difference or 0 for one in found]) == pytest.approx(-0.1, abs=0.01)


def test_intervals_hold_the_true_lift_as_often_as_they_say() -> None:
    """Of 100 intervals at 95 %, fewer than 88 hold the truth once in 1,000 times."""
    intervals = [lifts(seed, challenger=0.25)["challenger"].difference_ci95 or (0, 0) for seed in range(100)]
    assert sum(low <= 0.05 <= high for low, high in intervals) >= 88


def test_without_a_lift_alarms_are_as_rare_as_they_should_be() -> None:
    """Of 200 comparisons at 95 %, more than 21 are false alarms once in 1,000 times."""
    found = [lift.sign for seed in range(100) for lift in lifts(1000 + seed).values()]
    assert len(found) == 200
    assert set(found) <= {"unclear", "higher", "lower"}
    assert found.count("unclear") >= 200 - 21


def test_few_users_are_too_few_however_large_the_lift() -> None:
    lift_by_arm = lifts(1, users=3 * MIN_USERS - 60, challenger=0.9)
    assert {lift.sign for lift in lift_by_arm.values()} == {"too_small"}
    assert lift_by_arm["challenger"].difference_ci95 is not None


def test_a_champion_without_clicks_leaves_a_difference_and_no_ratio() -> None:
    found = lifts(1, champion=0.0)["challenger"]
    assert (found.sign, found.relative, found.relative_ci95) == ("higher", None, None)
    assert found.difference == pytest.approx(0.2, abs=0.04)


def test_lists_that_a_measure_leaves_out_count_for_nothing_in_it() -> None:
    arm, user, clicked = clicks(1)
    holes = np.where(user % 3 == 0, np.nan, clicked)
    kept = user % 3 != 0
    found = compare_arms(arm, user, {"all": clicked, "some": holes})["baseline"].rates["some"]
    assert found.value == clicked[kept & (arm == "baseline")].mean()


def test_an_arm_alone_has_rates_and_nothing_to_be_compared_with() -> None:
    arm, user, clicked = clicks(1)
    alone = arm == "baseline"
    (found,) = compare_arms(arm[alone], user[alone], {"clicked": clicked[alone]}).values()
    assert found.rates["clicked"].ci95 is not None
    assert found.lift == {}
    assert compare_arms(arm[:0], user[:0], {"clicked": clicked[:0]}) == {}


def test_values_that_are_not_there_have_no_rate() -> None:
    for values in (np.zeros(0), np.array([np.nan])):
        found = rates_over_users({"none": values}, np.zeros(len(values)))["none"]
        assert (found.value, found.ci95) == (None, None)


@given(st.lists(st.tuples(st.integers(10, 5000), st.floats(0.05, 1)), min_size=2, max_size=3))
def test_the_sample_ratio_is_pearsons(arms: list[tuple[int, float]]) -> None:
    users = {str(number): count for number, (count, _) in enumerate(arms)}
    shares = {str(number): share / sum(share for _, share in arms) for number, (_, share) in enumerate(arms)}
    ratio = sample_ratio(users, shares)
    if min(ratio.expected.values()) < LEAST_EXPECTED:
        assert ratio.p_value is None
        return
    chi_square, p_value = stats.chisquare(list(users.values()), [ratio.expected[name] for name in users])
    assert (ratio.chi_square, ratio.p_value) == (pytest.approx(chi_square), pytest.approx(p_value, abs=1e-12))


def test_shares_that_are_kept_raise_no_alarm() -> None:
    """Of 2,000 readouts at 0.1 %, more than 9 are false alarms once in 10,000 times."""
    random = np.random.default_rng(2)
    shares = {"champion": 0.8, "challenger": 0.1, "baseline": 0.1}
    counts = random.multinomial(5000, list(shares.values()), size=2000).tolist()
    assert sum(sample_ratio(dict(zip(shares, one, strict=True)), shares).mismatch for one in counts) <= 9


@pytest.mark.parametrize("lost", [0.1, 0.3, 1.0])
def test_an_arm_that_loses_users_is_found(lost: float) -> None:
    users = {"champion": 5000, "challenger": round(5000 * (1 - lost))}
    assert sample_ratio(users, {"champion": 0.5, "challenger": 0.5}).mismatch


@pytest.mark.parametrize(
    ("users", "shares"),
    [
        ({}, {"champion": 0.5, "challenger": 0.5}),
        ({"champion": 9}, {"champion": 0.5, "challenger": 0.5}),
        ({"champion": 99, "challenger": 1}, {"champion": 0.96, "challenger": 0.04}),
        ({"champion": 10_000}, {"champion": 1.0}),
    ],
)
def test_too_few_users_or_one_arm_are_no_mismatch(users: dict[str, int], shares: dict[str, float]) -> None:
    ratio = sample_ratio(users, shares)
    assert (ratio.p_value, ratio.mismatch) == (None, False)
