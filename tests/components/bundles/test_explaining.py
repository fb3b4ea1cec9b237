"""What groups of features added, by tables: what XGBoost's own contributions add up to."""

from typing import Any

import numpy as np
import pytest
import xgboost

from components.bundles import scoring
from components.bundles.explaining import Explainer, TooLargeError
from components.bundles.scoring import ranker_from
from tests.components.bundles.drafts import ROWS, ranker_draft

FEATURES = 7
GROUPS = (0, 1, -1, 1, 2, 0, 0)


def random_rows(many: int = 300) -> np.ndarray:
    """Rows of few values each, some missing: a path asks for one feature more than once."""
    random = np.random.default_rng(1)
    rows = random.integers(0, 9, size=(many, FEATURES)).astype(np.float32)
    rows[random.random(rows.shape) < 0.2] = np.nan
    return rows


def trained(depth: int, rounds: int = 12, **parameters: Any) -> xgboost.Booster:
    rows = random_rows()
    label = np.nan_to_num(rows) @ np.arange(FEATURES) + np.nan_to_num(rows[:, 0]) * np.nan_to_num(rows[:, 1])
    chosen = {"max_depth": depth, "nthread": 1, "seed": 1, "min_child_weight": 0, **parameters}
    return xgboost.train(chosen, xgboost.DMatrix(rows, label=label, missing=np.nan), rounds)


def by_xgboost(booster: xgboost.Booster, rows: np.ndarray) -> np.ndarray:
    each = booster.predict(xgboost.DMatrix(rows, missing=np.nan), pred_contribs=True)[:, :-1]
    return np.stack([each[:, np.array(GROUPS) == group].sum(axis=1) for group in range(3)], axis=1)


@pytest.mark.parametrize("depth", [1, 2, 5, 8])
def test_the_tables_say_what_xgboost_says(depth: int) -> None:
    booster = trained(depth)
    found = Explainer([(1.0, booster)], GROUPS)(random_rows())
    np.testing.assert_allclose(found, by_xgboost(booster, random_rows()), atol=1e-3 * depth)


def test_trees_that_grew_by_loss_are_explained_too() -> None:
    booster = trained(8, grow_policy="lossguide", max_leaves=9)
    np.testing.assert_allclose(
        Explainer([(1.0, booster)], GROUPS)(random_rows()), by_xgboost(booster, random_rows()), atol=1e-2
    )


def test_boosters_add_up_by_their_factors() -> None:
    one, other = trained(3), trained(4)
    found = Explainer([(0.5, one), (-2.0, other)], GROUPS)(random_rows())
    expected = 0.5 * by_xgboost(one, random_rows()) - 2.0 * by_xgboost(other, random_rows())
    np.testing.assert_allclose(found, expected, atol=1e-2)


def test_a_row_is_explained_alike_alone_and_among_others() -> None:
    explain = Explainer([(1.0, trained(5))], GROUPS)
    rows = random_rows(20)
    np.testing.assert_array_equal(np.concatenate([explain(rows[[row]]) for row in range(20)]), explain(rows))
    assert explain(rows[:0]).shape == (0, 3)


def test_trees_without_a_condition_add_nothing() -> None:
    assert not Explainer([(1.0, trained(3, gamma=1e9))], GROUPS)(random_rows(4)).any()


@pytest.mark.parametrize("parameters", [{"max_depth": 9}, {"booster": "dart"}])
def test_what_no_table_holds_is_left_to_xgboost(parameters: dict[str, Any]) -> None:
    booster = trained(2, **parameters)
    with pytest.raises(TooLargeError):
        Explainer([(1.0, booster)], GROUPS)


def test_a_ranker_explains_alike_with_and_without_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    draft = ranker_draft()
    with_tables, without = (ranker_from(draft.manifest, draft.models) for _ in range(2))
    groups = (1, 0, 1)
    tables = with_tables.contributions_by(ROWS, groups)

    def refuse(*_: object) -> Explainer:
        raise TooLargeError

    monkeypatch.setattr(scoring, "Explainer", refuse)
    np.testing.assert_allclose(tables, without.contributions_by(ROWS, groups), atol=1e-4)
    assert tables.shape == (len(ROWS), 2)
