"""Assignment is sticky, fair, independent between experiments, and moves nobody without need."""

import subprocess
import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.experiments.experiment import Experiment
from components.ranking_service.live.arms import arm_of, point_of, shadow_of

USERS = [f"user-{number}" for number in range(100_000)]


def spread(name: str = "x", challenger: float = 0.0, baseline: float = 0.0, shadow: float = 0.0) -> Experiment:
    arms = {"champion": 1 - challenger - baseline, "challenger": challenger, "baseline": baseline}
    document = {"name": name, "arms": {arm: {"share": share} for arm, share in arms.items() if share}}
    if shadow:
        document["shadow"] = {"arm": "challenger", "share": shadow}
    return Experiment.model_validate(document)


def test_without_an_experiment_everybody_is_with_the_champion() -> None:
    assert arm_of(None, "ann") == "champion"
    assert shadow_of(None, "request", "champion") is None


@settings(max_examples=10)
@given(st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,63}\Z"))
def test_users_lie_evenly_whatever_the_name(name: str) -> None:
    """Kolmogorov's distance of 100,000 uniform points from uniform exceeds 0.0087 once in 10 million names."""
    points = np.sort([point_of(name, user) for user in USERS])
    assert np.abs(points - (np.arange(len(USERS)) + 0.5) / len(USERS)).max() < 0.0087


def test_over_ten_experiments_arms_hold_their_shares_to_a_thousandth() -> None:
    experiments = [spread(f"experiment-{number}", challenger=0.1, baseline=0.05) for number in range(10)]
    found = Counter(arm_of(experiment, user) for experiment in experiments for user in USERS)
    for arm, share in experiments[0].shares.items():
        assert found[arm] / len(USERS) / len(experiments) == pytest.approx(share, abs=1e-3)


def test_a_user_stays_in_an_arm_in_every_process() -> None:
    """Python's own hash of a text differs from process to process."""
    experiment = spread(challenger=0.5)
    here = [arm_of(experiment, user) for user in USERS[:200]]
    code = (
        "from components.experiments.experiment import Experiment;"
        "from components.ranking_service.live.arms import arm_of;"
        f"experiment = Experiment.model_validate_json('{experiment.model_dump_json()}');"
        "print(*(arm_of(experiment, f'user-{number}') for number in range(200)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == here
    )


def test_an_experiment_of_another_name_spreads_the_users_anew() -> None:
    one, other = spread("one", challenger=0.5), spread("other", challenger=0.5)
    together = Counter((arm_of(one, user), arm_of(other, user)) for user in USERS)
    assert all(count / len(USERS) == pytest.approx(0.25, abs=0.006) for count in together.values())
    assert len(together) == 4


STATES = [(0.0, 0.0), (0.1, 0.0), (0.1, 0.05), (0.3, 0.05), (0.3, 0.6), (0.0, 0.6), (0.2, 0.2), (0.2, 0.0)]


@pytest.mark.parametrize(("before", "after"), list(pairwise(STATES)))
def test_arms_that_come_go_grow_or_shrink_trade_users_with_the_champion_alone(
    before: tuple[float, float], after: tuple[float, float]
) -> None:
    old, new = spread("x", *before), spread("x", *after)
    moves = {(arm_of(old, user), arm_of(new, user)) for user in USERS[:20_000]}
    assert all("champion" in move for move in moves if move[0] != move[1])
    for arm, was, now in zip(("challenger", "baseline"), before, after, strict=True):
        left, joined = (arm, "champion") in moves, ("champion", arm) in moves
        assert (left, joined) == (now < was, now > was)


@given(st.text(st.characters(codec=None), max_size=50), st.floats(0.01, 0.49), st.floats(0.01, 0.49))
def test_any_text_is_a_user_of_one_arm(user: str, challenger: float, baseline: float) -> None:
    experiment = spread("x", challenger, baseline)
    assert arm_of(experiment, user) == arm_of(experiment, user)
    assert arm_of(experiment, user) in experiment.shares


def test_a_shadow_ranks_its_share_of_the_requests_and_never_what_it_shows_itself() -> None:
    experiment = spread(challenger=0.5, shadow=0.25)
    shadowed = [shadow_of(experiment, request, "champion") for request in USERS]
    assert shadowed.count("challenger") / len(USERS) == pytest.approx(0.25, abs=0.006)
    assert set(shadowed) == {"challenger", None}
    assert {shadow_of(experiment, request, "challenger") for request in USERS[:100]} == {None}
    assert all(shadow_of(spread(shadow=1), request, "champion") == "challenger" for request in USERS[:100])


def test_which_requests_are_shadowed_does_not_follow_the_users_arms() -> None:
    experiment = spread(challenger=0.5, shadow=0.5)
    together = Counter((arm_of(experiment, key), shadow_of(experiment, key, "champion")) for key in USERS)
    assert all(count / len(USERS) == pytest.approx(0.25, abs=0.006) for count in together.values())
