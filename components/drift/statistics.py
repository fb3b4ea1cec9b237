"""Statistics of two sets of counts, each with the value that noise alone reaches once in ``1 / alpha`` windows.

``n`` and ``m`` are effective numbers of rows (rows divided by the design effect); counts are arrays of shape (groups,).

Sources: PSI and its use, Siddiqi, "Credit Risk Scorecards" (2006); the distribution of PSI between two samples of one
population is (1/n + 1/m) times chi-squared with groups - 1 degrees of freedom, Yurdakul & Naranjo, "Statistical
properties of the population stability index", Journal of Risk Model Validation 14(4) (2020); KS, Smirnov (1948).
"""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri  # a part of scipy: all of `scipy.stats` takes three times as long to import

Counts = npt.NDArray[np.int64]


def psi(reference: Counts, live: Counts) -> float:
    """Return the population stability index: the symmetric divergence of two shares, 0 when they are equal.

    A share below half a row of the smaller sample is no different from zero and counts as that half row, so an empty
    bin weighs as much as the evidence for it and not as much as an arbitrary small number.
    """
    n, m = int(reference.sum()), int(live.sum())
    if not n or not m:
        return 0.0
    floor = 0.5 / min(n, m)
    expected = np.maximum(reference / n, floor)
    actual = np.maximum(live / m, floor)
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def psi_expectation(groups: int, n: float, m: float) -> float:
    """Return the mean PSI of two samples of one population: the upward bias of a PSI at these sample sizes."""
    return max(groups - 1, 0) * (1 / n + 1 / m)


def psi_critical(groups: int, n: float, m: float, alpha: float) -> float:
    """Return the PSI that two samples of one population exceed with probability ``alpha``."""
    return float(chdtri(groups - 1, alpha)) * (1 / n + 1 / m) if groups > 1 else 0.0


def ks(reference: Counts, live: Counts) -> float:
    """Return the Kolmogorov-Smirnov distance at the edges of ordered bins (never above the exact one)."""
    n, m = int(reference.sum()), int(live.sum())
    if not n or not m:
        return 0.0
    return float(np.abs(np.cumsum(reference) / n - np.cumsum(live) / m).max())


def ks_critical(n: float, m: float, alpha: float) -> float:
    """Return the distance that two samples of one population exceed with probability at most ``alpha``."""
    return math.sqrt(-math.log(alpha / 2) / 2 * (1 / n + 1 / m))


def share_change_critical(pooled: float, n: float, m: float, alpha: float) -> float:
    """Return the change of a share that noise exceeds with probability ``alpha`` (two-proportion z test)."""
    return normal_quantile(1 - alpha / 2) * math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))


def outside_critical(n: float, m: float, alpha: float) -> float:
    """Return the share of ``m`` live rows that noise alone puts outside the range of ``n`` reference rows.

    Order statistics, free of the distribution: at least ``k`` of the live rows lie beyond both ends together with
    probability at most (k + 1) (m / (n + m)) ** k.
    """
    ratio, k = m / (n + m), 1
    while (k + 1) * ratio**k > alpha and k < m:
        k += 1
    return k / m


def rare_share_critical(share: float, m: float, alpha: float) -> float:
    """Return the share of ``m`` rows that an event of probability ``share`` exceeds with probability ``alpha``.

    Bernstein's inequality, so it holds for rare events, where the normal approximation does not.
    """
    weight = -math.log(alpha)
    return share + math.sqrt(2 * share * (1 - share) * weight / m) + 2 * weight / (3 * m)


def normal_quantile(probability: float) -> float:
    """Return the quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)
