"""A list's best score is placed among the scores that its bundle was published with."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.bundles.promotion import promote
from components.contracts.metrics import SCORE_SHARES
from components.drift.kinds import ColumnKind
from components.drift.sketch_codec import sketches_to_json
from components.drift.sketches import Sketches, sketch_table
from components.ranking_service.answering.answers import Filters
from components.ranking_service.answering.recommender import Recommender
from components.ranking_service.answering.score_reference import ScoreReference, score_reference
from tests.components.ranking_service.served_shop import (
    PROMOTED_AT,
    Stocked,
    listed,
    ordered,
    published,
    random_trees,
    recommender,
    serving,
    stocked,
)

SCORES = np.linspace(-1000.0, 0.0, 2001)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Stocked:
    """A shop whose bundle was published with scores that all lie below its answers'."""
    folder = tmp_path_factory.mktemp("placed")
    shop = stocked(folder)
    scores = pa.record_batch({"score": SCORES})
    sketches = Sketches({"predictions": sketch_table([scores], {"score": ColumnKind.NUMERIC})})
    draft = replace(random_trees(shop.features.revision), sketches=sketches_to_json(sketches))
    bundle = published(shop.home, folder / "other", draft)
    promote(shop.home, "small", bundle.digest, "local", PROMOTED_AT)
    return replace(shop, bundle=bundle)


@pytest.fixture(scope="module")
def asked(shop: Stocked) -> Iterator[Recommender]:
    with recommender(shop) as found:
        yield found


def test_a_score_lies_at_the_share_of_the_reference_that_is_not_greater() -> None:
    reference = ScoreReference(tuple(range(1, len(SCORE_SHARES))))
    placed = [reference.share(score) for score in (-5.0, 1.0, 1.5, 2.0, 9.0, 9.1, math.inf)]
    assert placed == [0.5, 0.5, 0.75, 0.75, 0.999, 1.0, 1.0]
    assert reference.share(math.nan) == SCORE_SHARES[0]


def test_the_bounds_are_those_of_the_bundles_own_scores(shop: Stocked) -> None:
    reference = score_reference(shop.bundle)
    assert reference is not None
    expected = np.quantile(SCORES, SCORE_SHARES[:-1])
    assert reference.bounds == pytest.approx(expected, rel=0.06, abs=1)


def test_a_bundle_without_scores_has_no_reference(shop: Stocked, tmp_path: Path) -> None:
    for number, sketches in enumerate((b'{"format":1,"tables":{}}', b'{"format":99,"tables":{}}')):
        draft = replace(random_trees(shop.features.revision, seed=number), sketches=sketches)
        assert score_reference(published(shop.home, tmp_path / str(number), draft)) is None


def test_lists_are_placed_and_given_items_and_empty_lists_are_not(asked: Recommender) -> None:
    assert listed(asked, "u01").best_score in SCORE_SHARES
    assert ordered(asked, "u01", ["i01", "i02"]).best_score is None
    assert listed(asked, "u01", filters=Filters(categories=["no such thing"])).best_score is None


def test_the_service_counts_where_its_lists_lie(shop: Stocked) -> None:
    with serving(shop.home) as live:
        assert live.live is not None
        arms = live.live.arms
        placed = {arm: listed(found, "u01").best_score for arm, found in arms.items()}
    assert placed["champion"] in SCORE_SHARES
    assert placed["baseline"] is None, "a rule that lies in memory was published with nothing"
