"""The arms of an experiment compared: rates, lifts over the champion, and a check of the shares."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from components.experiments.experiment import ARMS, CHAMPION
from components.ranking.resampling import interval, resampled_means

CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 7
MIN_USERS = 100  # of an arm; with fewer, percentile intervals of rare clicks promise too much
MISMATCH = 0.001
LEAST_EXPECTED = 5  # users of an arm from which on chi-square's tail holds

Floats = NDArray[np.float64]
Range = tuple[float, float] | None
Sign = Literal["higher", "lower", "unclear", "too_small"]


@dataclass(frozen=True)
class Rate:
    """A mean over lists with its interval over users; both None when there is no list."""

    value: float | None
    ci95: Range


@dataclass(frozen=True)
class Lift:
    """A rate of an arm against the champion's; ``relative`` is None where the champion's is, or may well be, 0."""

    difference: float | None
    difference_ci95: Range
    relative: float | None
    relative_ci95: Range
    sign: Sign


@dataclass(frozen=True)
class ArmReadout:
    """One arm: ``lift`` is empty for the champion."""

    rates: dict[str, Rate]
    lift: dict[str, Lift]

    @property
    def document(self) -> dict[str, Any]:
        """Return the rates by their names, and ``lift``."""
        values = asdict(self)
        return {**values["rates"], "lift": values["lift"]}


@dataclass(frozen=True)
class _Measured:
    """A measure of one arm: its values [lists], NaN elsewhere, its mean in each resample, and its users."""

    values: Floats
    draws: Floats
    users: int

    @property
    def mean(self) -> float | None:
        present = self.values[~np.isnan(self.values)]
        return float(present.mean()) if len(present) else None

    @property
    def rate(self) -> Rate:
        return Rate(self.mean, _interval(self.draws))


@dataclass(frozen=True)
class SampleRatio:
    """Users of each arm beside those that its share promises; ``p_value`` is None when there are too few to tell."""

    users: dict[str, int]
    expected: dict[str, float]
    chi_square: float | None
    p_value: float | None

    @property
    def mismatch(self) -> bool:
        """Return whether chance cannot explain the difference: then the arms hold other users, and no lift is valid."""
        return self.p_value is not None and self.p_value < MISMATCH


def compare_arms(
    arm: NDArray[Any], user: NDArray[Any], measures: Mapping[str, Floats], resamples: int = RESAMPLES
) -> dict[str, ArmReadout]:
    """Read out every arm that showed a list, the champion first.

    ``arm`` (names), ``user`` (ids) and each measure are [lists]; NaN leaves a list out of a measure. A resample draws
    users of all arms together: each user is in one arm, and an arm's size varies as it might have.
    """
    present = [name for name in ARMS if (arm == name).any()]
    if not present:
        return {}
    values = np.stack([np.where(arm == name, of, np.nan) for name in present for of in measures.values()], axis=1)
    estimates = iter(_measured(values, user, resamples))
    measured = {name: {measure: next(estimates) for measure in measures} for name in present}
    rival = measured.get(CHAMPION, {})
    return {
        name: ArmReadout(
            {measure: one.rate for measure, one in ours.items()},
            {measure: _lift(ours[measure], theirs) for measure, theirs in rival.items() if name != CHAMPION},
        )
        for name, ours in measured.items()
    }


def rates_over_users(columns: Mapping[str, NDArray[Any]], user: NDArray[Any]) -> dict[str, Rate]:
    """Return the mean of each column, [rows], NaN left out, with its interval over the users that rows come from."""
    if not len(user):
        return {name: Rate(None, None) for name in columns}
    values = np.stack([*columns.values()], axis=1).astype(np.float64)
    estimates = _measured(values, user, RESAMPLES)
    return {name: one.rate for name, one in zip(columns, estimates, strict=True)}


def _measured(values: Floats, user: NDArray[Any], resamples: int) -> list[_Measured]:
    """Return the columns of values, [rows, columns], NaN left out, in the same resamples of users."""
    number = np.unique(user, return_inverse=True)[1]
    draws = resampled_means(values, number, resamples, SEED)
    users = [len(np.unique(number[~np.isnan(column)])) for column in values.T]
    return [_Measured(*one) for one in zip(values.T, draws.T, users, strict=True)]


def sample_ratio(users: Mapping[str, int], shares: Mapping[str, float]) -> SampleRatio:
    """Compare the users of each arm with its share by Pearson's chi-square, with one degree of freedom an arm but one.

    Source: Fabijan et al., "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments", KDD 2019.
    """
    observed = {arm: users.get(arm, 0) for arm in shares}
    total, scale = sum(observed.values()), sum(shares.values())
    expected = {arm: total * share / scale for arm, share in shares.items()}
    if len(shares) < 2 or min(expected.values()) < LEAST_EXPECTED:
        return SampleRatio(observed, expected, None, None)
    chi_square = sum((observed[arm] - expected[arm]) ** 2 / expected[arm] for arm in shares)
    return SampleRatio(observed, expected, chi_square, _tail(chi_square, len(shares) - 1))


def _tail(chi_square: float, degrees: int) -> float:
    """Probability of a chi-square so large by chance; there are at most three arms, so one or two degrees.

    For these the closed forms are exact, and a command need not import scipy.
    """
    return math.erfc(math.sqrt(chi_square / 2)) if degrees == 1 else math.exp(-chi_square / 2)


def _lift(ours: _Measured, theirs: _Measured) -> Lift:
    if ours.mean is None or theirs.mean is None:
        return Lift(None, None, None, None, "too_small")
    between = _interval(ours.draws - theirs.draws)
    ratio = _interval(ours.draws / theirs.draws - 1) if np.nanmin(theirs.draws) > 0 else None
    relative = ours.mean / theirs.mean - 1 if ratio else None
    enough = min(ours.users, theirs.users) >= MIN_USERS
    return Lift(ours.mean - theirs.mean, between, relative, ratio, _sign(between) if enough else "too_small")


def _sign(between: Range) -> Sign:
    if between is None or between[0] <= 0 <= between[1]:
        return "unclear"
    return "higher" if between[0] > 0 else "lower"


def _interval(draws: Floats) -> Range:
    if np.isnan(draws).all():
        return None
    low, high = interval(draws, CONFIDENCE).tolist()
    return low, high
