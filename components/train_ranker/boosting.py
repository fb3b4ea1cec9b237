"""Boosting: one XGBoost fit, repeatable to the bit for the same rows, parameters, seed and number of threads."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from components.bundles.xgboost_import import import_xgboost
from components.contracts.errors import TrainingError
from components.shop.settings import Training
from components.train_ranker.validation import Judges

if TYPE_CHECKING:
    import xgboost

Floats = NDArray[np.float32]
Objective = Literal["rank", "logit"]
SAY_EVERY = 10
SMOOTHED_ROUNDS = 10
HELD = 0.99
"""Part of the best validation NDCG that still counts as holding it: one week cannot tell rounds apart more finely."""


@dataclass(frozen=True)
class TreeParameters:
    """The parameters of the trees; the same for both objectives."""

    depth: int
    learning_rate: float
    columns_per_tree: float
    min_child_weight: float
    l2: float
    pairs: int  # pairs a request and round, from its top (rank only)
    bins: int

    def for_xgboost(self, objective: Objective, seed: int, threads: int) -> dict[str, Any]:
        """Spell the parameters for ``xgboost.train``."""
        shared = {
            "tree_method": "hist",
            "eta": self.learning_rate,
            "max_depth": self.depth,
            "colsample_bytree": self.columns_per_tree,
            "min_child_weight": self.min_child_weight,
            "reg_lambda": self.l2,
            "max_bin": self.bins,
            "seed": seed,
            "nthread": threads,
            "disable_default_eval_metric": True,
        }
        if objective == "logit":
            return shared | {"objective": "binary:logistic"}
        pairs = {"lambdarank_pair_method": "topk", "lambdarank_num_pair_per_sample": self.pairs}
        return shared | pairs | {"objective": "rank:ndcg", "ndcg_exp_gain": False}


def tree_parameters(training: Training) -> TreeParameters:
    """Take the trees' parameters from the shop file."""
    return TreeParameters(
        depth=training.depth,
        learning_rate=training.learning_rate,
        columns_per_tree=training.columns_per_tree,
        min_child_weight=training.min_child_weight,
        l2=training.l2,
        pairs=training.pairs,
        bins=training.bins,
    )


@dataclass(frozen=True)
class Targets:
    """The targets of a training split's rows.

    ``gains`` float32 [rows] are what the rank objective orders by, ``labels`` in {0, 1} and ``weights`` [rows] serve
    the logistic one; ``group_sizes`` int64 [requests].
    """

    gains: Floats
    labels: Floats
    weights: Floats
    group_sizes: NDArray[np.int64]


@dataclass(frozen=True)
class Matrices:
    """Rows that are made ready once and used by every fit. ``train`` changes its targets with the objective."""

    train: "xgboost.QuantileDMatrix"
    targets: Targets
    judges: Judges

    def aim(self, objective: Objective) -> None:
        """Give the training rows the objective's targets; XGBoost weighs groups, so weighted rows are groups of one."""
        if objective == "rank":
            self.train.set_float_info("weight", np.zeros(0, dtype=np.float32))
            self.train.set_group(self.targets.group_sizes)
            self.train.set_label(self.targets.gains)
        else:
            self.train.set_group(np.ones(len(self.targets.labels), dtype=np.int64))
            self.train.set_weight(self.targets.weights)
            self.train.set_label(self.targets.labels)


@dataclass(frozen=True)
class Fit:
    """A fitted booster, cut where its validation NDCG stopped to hold, and that NDCG of every round."""

    booster: "xgboost.Booster"
    rounds: int
    curve: list[float]


def bin_rows(features: Floats, targets: Targets, judges: Judges, training: Training) -> Matrices:
    """Bin training rows (float32 [rows, features], NaN missing)."""
    import_xgboost()
    import xgboost

    options = {"max_bin": training.bins, "nthread": training.threads, "missing": np.nan}
    try:
        return Matrices(xgboost.QuantileDMatrix(features, **options), targets, judges)
    except xgboost.core.XGBoostError as error:
        raise TrainingError(
            f"XGBoost refused the examples ({_first_line(error)}); features must be finite or missing:"
            " see what build_training_set reports"
        ) from error


def fit_booster(
    matrices: Matrices,
    objective: Objective,
    parameters: TreeParameters,
    training: Training,
    k: int,
    say: Callable[[str], None],
) -> Fit:
    """Fit one objective with early stopping on the smoothed validation NDCG@k.

    Raises:
        TrainingError: the validation NDCG became NaN, or XGBoost refused the data.
    """
    import xgboost

    matrices.aim(objective)
    max_rounds = training.rounds if objective == "rank" else training.logit_rounds
    curve: list[float] = []
    try:
        booster = xgboost.train(
            parameters.for_xgboost(objective, training.seed, training.threads),
            matrices.train,
            num_boost_round=max_rounds,
            callbacks=[
                _judge_rounds(matrices.judges, curve, k),
                _early_stop(objective, curve, max_rounds, training.stop_after, say),
            ],
        )
    except xgboost.core.XGBoostError as error:
        raise TrainingError(f"XGBoost stopped ({_first_line(error)}); look at the labels of the examples") from error
    if any(math.isnan(value) for value in curve):
        raise TrainingError(
            f"the {objective} model's validation NDCG became NaN in round {_first_nan(curve)}; lower"
            " training.learning_rate or look for infinite values in the features"
        )
    rounds = kept_rounds(curve)
    return Fit(booster[:rounds], rounds, curve)


def kept_rounds(curve: list[float]) -> int:
    """Return the number of trees to keep: up to the last round whose smoothed NDCG still holds the best."""
    held = smoothed(curve)
    return int(np.flatnonzero(held >= held.max() * HELD)[-1]) + 1


def smoothed(curve: list[float]) -> NDArray[np.float64]:
    """Mean of each round's NDCG and the few before it [rounds].

    One week's NDCG jumps by more between rounds than training gains in tens of them, so its highest point is luck.
    """
    sums = np.cumsum(np.concatenate([[0.0], curve]))
    last = np.arange(1, len(curve) + 1)
    first = np.maximum(last - SMOOTHED_ROUNDS, 0)
    return (sums[last] - sums[first]) / (last - first)


def _judge_rounds(judges: Judges, curve: list[float], k: int) -> "xgboost.callback.TrainingCallback":
    """Append the NDCG of every round to the curve.

    XGBoost's own evaluation predicts from binned rows, several times slower than each new tree alone from floats.
    """
    from xgboost.callback import TrainingCallback

    class JudgeRounds(TrainingCallback):
        def __init__(self) -> None:
            super().__init__()
            self.margins = np.zeros(len(judges.labels))

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            tree = model.inplace_predict(
                judges.features,
                iteration_range=(epoch, epoch + 1),
                predict_type="margin",
                missing=np.nan,
                validate_features=False,
            ).astype(np.float64)
            with np.errstate(invalid="ignore"):  # the curve shows a training that diverges
                self.margins += tree - tree.mean()  # each tree's margin holds the base score again
            curve.append(judges.ndcg(self.margins, k))
            return math.isnan(curve[-1])

    return JudgeRounds()


def _early_stop(
    objective: str, curve: list[float], max_rounds: int, patience: int, say: Callable[[str], None]
) -> "xgboost.callback.TrainingCallback":
    from xgboost.callback import TrainingCallback

    class EarlyStop(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            if math.isnan(curve[-1]):
                return True
            if epoch % SAY_EVERY == 0:
                say(f"{objective} model: round {epoch + 1} of at most {max_rounds}, validation NDCG {curve[-1]:.4f}")
            return bool(epoch % SAY_EVERY == 0 and len(curve) - kept_rounds(curve) >= patience)

    return EarlyStop()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _first_nan(values: list[float]) -> int:
    return next(number for number, value in enumerate(values, start=1) if math.isnan(value))
