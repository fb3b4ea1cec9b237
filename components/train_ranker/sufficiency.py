"""Whether the examples can teach anything: unusable labels are an error, too few requests are not."""

import numpy as np

from components.contracts.errors import TrainingError
from components.contracts.ranking_examples import ExamplesManifest, Split
from components.shop.settings import Shop


def refuse_unusable(name: str, split: Split) -> None:
    """Raise ``TrainingError`` for labels or weights that are not numbers from 0 up."""
    for column in ("label", "weight"):
        values = split.rows[column].to_numpy(zero_copy_only=False)
        wrong = int(np.count_nonzero(~np.isfinite(values) | (values < 0)))
        if wrong:
            raise TrainingError(
                f"{wrong} of {len(values)} {name} rows have a {column} that is negative or not a number;"
                " expected finite numbers from 0 up: look at the outcomes in build_training_set's report"
            )


def shortfall_of(manifest: ExamplesManifest, train: Split, validation: Split, shop: Shop) -> str | None:
    """Say in words why a model cannot be trained; None when it can."""
    if not manifest.enough:
        return manifest.shortfall or "too few users or too short a history"
    for name, split, minimum in (("training", train, shop.training.min_requests), ("validation", validation, 1)):
        requests = _informative_requests(split)
        if requests < minimum:
            return (
                f"{requests} {name} requests have both a success and another candidate; at least {minimum} are needed"
            )
    return None


def _informative_requests(split: Split) -> int:
    request, labels = split.rows["request"].to_numpy(), split.rows["label"].to_numpy()
    positives = np.bincount(request, weights=labels > 0, minlength=len(split.requests))
    return int(((positives > 0) & (positives < split.group_sizes)).sum())
