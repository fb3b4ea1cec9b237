"""A small home with online rows, and a bundle of random trees over all ranking features."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost

from components.build_features.snapshots import build_features
from components.bundles.drafting import Draft, write_draft
from components.bundles.loading import Bundle, load_ranker
from components.bundles.manifest import Manifest, Part
from components.bundles.scoring import ranker_from
from components.bundles.warmup import Warmup
from components.contracts.home import Home
from components.contracts.shop import Candidates, Rules
from components.features.sets import FeatureSet, read_set
from components.materialize_features.packed_rows import open_client, write_newest
from components.ranking.baselines import BASELINE_NAMES
from components.ranking.candidates import assortment
from components.ranking.features import FEATURE_NAMES, feature_list
from components.ranking_service.online_rows import OnlineRows
from components.ranking_service.recommender import Recommender
from tests.components.build_features.homes import home_of, quiet, small_shop
from tests.components.bundles.drafts import baseline_draft


@dataclass(frozen=True)
class Stocked:
    """A home whose newest rows are online, and a bundle for them."""

    home: Home
    features: FeatureSet
    bundle: Bundle


def stocked(folder: Path) -> Stocked:
    """Build the small shop's features, put them online and draft a bundle for them."""
    home, clean = home_of(folder / "home")
    features = read_set(Path(build_features(small_shop(), home, clean, quiet).features.uri))
    with open_client(home, features) as client:
        write_newest(client, features)
    return Stocked(home, features, write_draft(folder / "draft", random_trees(features.revision)))


def random_trees(revision: str) -> Draft:
    """A ranker of all features that learned noise: what matters is that it tells rows apart."""
    random = np.random.default_rng(5)
    rows = random.lognormal(0, 2, size=(400, len(FEATURE_NAMES))).astype(np.float32)
    matrix = xgboost.DMatrix(rows, label=np.log(rows) @ random.normal(size=len(FEATURE_NAMES)), missing=np.nan)
    parameters = {"max_depth": 6, "colsample_bytree": 0.2, "nthread": 1, "seed": 1}
    booster = xgboost.train(parameters, matrix, 60)
    manifest = Manifest(
        kind="ranker",
        shop="small",
        horizon_days=7,
        k=5,
        feature_names=FEATURE_NAMES,
        feature_list=feature_list(),
        feature_revision=revision,
        baseline_names=BASELINE_NAMES,
        blend=(Part("logit"),),
        candidates=Candidates().model_dump(mode="json"),
        rules=Rules().model_dump(mode="json"),
    )
    models = {"logit": bytes(booster.save_raw("ubj"))}
    baselines = np.zeros((len(rows), len(BASELINE_NAMES)), dtype=np.float32)
    warmup = Warmup(rows, baselines, ranker_from(manifest, models).score(rows, baselines))
    return Draft(manifest, models, b'{"format":1,"tables":{}}', warmup, baseline_draft().sidecar)


@contextmanager
def recommender(shop: Stocked) -> Iterator[Recommender]:
    """Answer from the home's store."""
    with open_client(shop.home, shop.features) as client:
        rows = OnlineRows(client)
        stock = assortment(rows.items(), Candidates(**shop.bundle.manifest.candidates))
        yield Recommender(shop.bundle, load_ranker(shop.bundle), rows, stock)
