"""Warm-up rows: they prove that a bundle gives the same answers here as where it was made."""

import io
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from components.bundles.manifest import WARMUP
from components.bundles.scoring import Ranker
from components.contracts.errors import BundleError

Floats = NDArray[np.float32]
TOLERANCE = 1e-4
"""Relative; another processor may round the last bits of a sum of hundreds of trees differently."""


@dataclass(frozen=True)
class Warmup:
    """Some rows and the scores expected of them; no ids of users or items."""

    features: Floats
    baselines: Floats
    expected: Floats


def warmup_bytes(warmup: Warmup) -> bytes:
    """Return warm-up rows as ``.npz`` bytes; equal rows have equal bytes."""
    target = io.BytesIO()
    np.savez(target, features=warmup.features, baselines=warmup.baselines, expected=warmup.expected)
    return target.getvalue()


def parse_warmup(content: bytes, folder: Path) -> Warmup:
    """Read the warm-up rows of a bundle in a folder from their bytes; pickled content is refused."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return Warmup(arrays["features"], arrays["baselines"], arrays["expected"])
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise BundleError(f"{folder / WARMUP}: unreadable ({error}); `rankloop run` puts the bundle back") from error


def check_answers(ranker: Ranker, warmup: Warmup) -> None:
    """Score the warm-up rows and compare.

    Raises:
        BundleError: an answer is not the expected one.
    """
    scores = ranker.score(warmup.features, warmup.baselines)
    wrong = ~np.isclose(scores, warmup.expected, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
    if wrong.any():
        raise BundleError(
            f"{int(wrong.sum())} of {len(scores)} warm-up rows are not answered as expected (largest difference"
            f" {np.nanmax(np.abs(scores - warmup.expected)):.3g}); the parts disagree or XGBoost differs:"
            " `rankloop run --again` makes another"
        )
