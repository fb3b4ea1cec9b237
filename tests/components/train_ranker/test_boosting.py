"""Boosting judges every round by the NDCG that the validation requests see."""

from dataclasses import replace

import numpy as np
import pytest

from components.contracts.errors import TrainingError
from components.shop.settings import Training
from components.train_ranker.boosting import Matrices, fit_booster, tree_parameters
from tests.components.train_ranker.random_matrices import random_matrices

REQUESTS, CANDIDATES, K = 30, 8, 5
SETTINGS = Training(rounds=12, stop_after=50, threads=1)


@pytest.fixture
def matrices() -> Matrices:
    return random_matrices(REQUESTS, CANDIDATES, SETTINGS)


@pytest.mark.parametrize("objective", ["rank", "logit"])
def test_the_curve_is_what_the_first_trees_reach_together(matrices, objective):
    fit = fit_booster(matrices, objective, tree_parameters(SETTINGS), SETTINGS, K, lambda _: None)
    for rounds in range(1, fit.rounds + 1):
        scores = fit.booster.inplace_predict(
            matrices.judges.features, iteration_range=(0, rounds), predict_type="margin", missing=np.nan
        )
        assert fit.curve[rounds - 1] == pytest.approx(matrices.judges.ndcg(scores, K), abs=1e-6)


def test_the_curve_is_xgboosts_own_measure(matrices):
    import xgboost

    fit = fit_booster(matrices, "rank", tree_parameters(SETTINGS), SETTINGS, K, lambda _: None)
    judged = xgboost.DMatrix(matrices.judges.features, label=matrices.judges.labels, missing=np.nan)
    judged.set_group(np.full(REQUESTS, CANDIDATES))
    fit.booster.set_param({"eval_metric": f"ndcg@{K}", "disable_default_eval_metric": False})
    theirs = float(fit.booster.eval(judged).split(":")[-1])
    assert fit.curve[fit.rounds - 1] == pytest.approx(theirs, abs=1e-6)


def test_a_training_that_diverges_is_one_clear_error(matrices):
    wild = replace(tree_parameters(SETTINGS), learning_rate=1e38, min_child_weight=0.0, l2=0.0)
    with pytest.raises(TrainingError, match="validation NDCG became NaN in round"):
        fit_booster(matrices, "logit", wild, SETTINGS, K, lambda _: None)
