"""Where a score lies among those that a bundle was published with: the same measure for every bundle.

Scores have no scale of their own, and a new model's differ from the old one's. Their place among the bundle's reference
scores does not, as long as features and model fit together; so a canary's can be compared with those beside it.
"""

from bisect import bisect_left
from dataclasses import dataclass

from components.bundles.loading import Bundle
from components.contracts.errors import BundleError
from components.contracts.metrics import SCORE_SHARES
from components.drift.numeric import NumericSketch
from components.drift.sketch_codec import sketches_from_json


@dataclass(frozen=True)
class ScoreReference:
    """The scores up to which each of ``SCORE_SHARES`` but the last, which is all, of the reference lies; ascending."""

    bounds: tuple[float, ...]

    def share(self, score: float) -> float:
        """Return the smallest of ``SCORE_SHARES`` up to whose bound a score lies; NaN lies below all others."""
        return SCORE_SHARES[bisect_left(self.bounds, score)]


def score_reference(bundle: Bundle) -> ScoreReference | None:
    """Return the reference scores of a bundle on disk; None where it has none that this code can read."""
    try:
        table = sketches_from_json(bundle.sketches).tables.get("predictions")
    except (BundleError, OSError):
        return None
    sketch = table.columns.get("score") if table else None
    if not isinstance(sketch, NumericSketch) or not sketch.valid:
        return None
    bounds = (sketch.quantile(share) for share in SCORE_SHARES[:-1])
    return ScoreReference(tuple(bound for bound in bounds if bound is not None))
