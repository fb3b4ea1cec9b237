"""Small drafts for bundle tests: a blend of two boosters, and a baseline."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from components.bundles.drafting import Draft, write_draft
from components.bundles.loading import Bundle
from components.bundles.manifest import Manifest, Part
from components.bundles.scoring import ranker_from
from components.bundles.sidecar import Sidecar
from components.bundles.store import model_name
from components.bundles.warmup import Warmup
from components.ranking.baselines import BASELINE_NAMES
from components.ranking.features import FEATURE_NAMES, feature_list
from components.shop.settings import Candidates, Rules

ROWS = np.random.default_rng(4).normal(size=(40, 3)).astype(np.float32)
ROWS[::7, 1] = np.nan
BASELINES = ROWS[:, :2].copy()


def booster_bytes(seed: int, objective: str = "reg:squarederror") -> bytes:
    """Train a few trees on ``ROWS``."""
    labels = (ROWS[:, 0] + 0.1 * seed > 0).astype(np.float32)
    matrix = xgboost.DMatrix(ROWS, label=labels, missing=np.nan)
    parameters = {"objective": objective, "max_depth": 3, "seed": seed, "nthread": 1}
    return bytes(xgboost.train(parameters, matrix, 5).save_raw("ubj"))


def ranker_draft(**changes: Any) -> Draft:
    """A draft of a ranker; ``changes`` are fields of its manifest."""
    manifest = Manifest(
        kind="ranker",
        shop="corner",
        horizon_days=7,
        k=10,
        feature_names=("a", "b", "c"),
        feature_list="list-1",
        feature_revision="revision-1",
        baseline_names=("popularity", "no_op"),
        blend=(Part("rank", 1.0, 0.1, 0.5), Part("logit", 0.5, -1.0, 2.0)),
        candidates={"history": 200},
        rules={"max_per_category": None},
    )
    manifest = replace(manifest, **changes)
    models = {"rank": booster_bytes(1), "logit": booster_bytes(2, "binary:logistic")}
    return drafted(manifest, models)


def baseline_draft() -> Draft:
    """A draft that answers with the second baseline."""
    return drafted(replace(ranker_draft().manifest, kind="baseline", baseline="no_op", blend=()), {})


def small_manifest(revision: str, **changes: Any) -> Manifest:
    """A manifest of the small shop over all ranking features, of the rule that buys again unless changed."""
    manifest = Manifest(
        kind="baseline",
        shop="small",
        horizon_days=7,
        k=5,
        feature_names=FEATURE_NAMES,
        feature_list=feature_list(),
        feature_revision=revision,
        baseline_names=BASELINE_NAMES,
        baseline="buy_it_again",
        candidates=Candidates().model_dump(mode="json"),
        rules=Rules().model_dump(mode="json"),
    )
    return replace(manifest, **changes)


def drafted(manifest: Manifest, models: dict[str, bytes]) -> Draft:
    """Put a draft together, with warm-up rows answered by its own ranker."""
    expected = ranker_from(manifest, models).score(ROWS, BASELINES)
    sidecar = Sidecar("", "run-1", "2024-06-03T00:00:00+00:00", "2024-05-20T00:00:00+00:00")
    return Draft(manifest, models, b'{"format":1,"tables":{}}', Warmup(ROWS, BASELINES, expected), sidecar)


def written(folder: Path, draft: Draft | None = None) -> Bundle:
    """Write a draft and open it."""
    return write_draft(folder / "draft", draft or ranker_draft())


def sealed_folders(models: Path) -> list[Path]:
    """Folders of all bundles that the store holds of the drafts' shop."""
    return sorted(path for path in (models / "models" / model_name("corner")).glob("*") if path.is_dir())
