"""Tuning searches around the shop file's parameters and is judged as training is."""

import pytest

from components.shop.settings import Training
from components.train_ranker.boosting import Matrices, TreeParameters, fit_booster, smoothed, tree_parameters
from components.train_ranker.tuning import Tuned, tune_parameters
from tests.components.train_ranker.random_matrices import random_matrices

K = 5


def training(**changes: float) -> Training:
    return Training(rounds=12, stop_after=5, threads=1, tuning_trials=3).model_copy(update=changes)


@pytest.fixture
def matrices() -> Matrices:
    return random_matrices(40, 10, training())


def tuned(matrices: Matrices, settings: Training) -> Tuned:
    return tune_parameters(matrices, tree_parameters(settings), settings, K, lambda _: None)


def searched(found: TreeParameters) -> dict[str, float]:
    names = ("depth", "learning_rate", "columns_per_tree", "min_child_weight", "l2")
    return {name: getattr(found, name) for name in names}


@pytest.mark.parametrize(
    "changes", [{}, {"depth": 10, "learning_rate": 0.9, "columns_per_tree": 0.01, "min_child_weight": 0.5, "l2": 500.0}]
)
def test_the_first_trial_is_what_the_shop_file_says(matrices: Matrices, changes: dict[str, float]) -> None:
    settings = training(**changes)
    first, *others = tuned(matrices, settings).trials
    assert len(others) == settings.tuning_trials - 1
    expected = searched(tree_parameters(settings))
    assert {name: first[name] for name in expected} == pytest.approx(expected)


def test_a_penalty_of_nothing_is_tried_as_the_least_one(matrices: Matrices) -> None:
    first = tuned(matrices, training(min_child_weight=0.0, l2=0.0)).trials[0]
    assert (first["min_child_weight"], first["l2"]) == pytest.approx((1.0, 0.1))


def test_few_columns_are_searched_too(matrices: Matrices) -> None:
    tried = [trial["columns_per_tree"] for trial in tuned(matrices, training(tuning_trials=25, rounds=2)).trials]
    assert 0.05 <= min(tried) < 0.15


def test_a_trial_is_worth_its_smoothed_curve_and_the_best_one_is_taken(matrices: Matrices) -> None:
    settings = training()
    found = tuned(matrices, settings)
    best = max(found.trials, key=lambda trial: trial["validation_ndcg"])
    assert searched(found.parameters) == pytest.approx({name: best[name] for name in searched(found.parameters)})
    fit = fit_booster(matrices, "rank", found.parameters, settings, K, lambda _: None)
    assert best["validation_ndcg"] == pytest.approx(smoothed(fit.curve)[fit.rounds - 1])
    assert best["validation_ndcg"] < max(fit.curve)
