"""Bounded tuning: a fixed number of Optuna trials over the trees' parameters, judged on the validation slice."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from components.shop.settings import Training
from components.train_ranker.boosting import Matrices, TreeParameters, fit_booster, smoothed

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Tuned:
    """The best parameters of the trials and of the shop file, and how each did."""

    parameters: TreeParameters
    trials: list[dict[str, float]]


@dataclass(frozen=True)
class Range:
    """The search range of a parameter, both ends included; ``log`` searches on a log scale."""

    low: float
    high: float
    log: bool = False

    def with_start(self, start: float) -> "Range":
        """Reach as far as the shop file's value; a penalty of 0 has no magnitude and is tried as the least one."""
        low = self.low if self.log and start <= 0 else min(self.low, start)
        return replace(self, low=low, high=max(self.high, start))


SEARCHED = {
    "learning_rate": Range(0.02, 0.3, log=True),
    "columns_per_tree": Range(0.05, 1.0),
    "min_child_weight": Range(1.0, 100.0, log=True),
    "l2": Range(0.1, 100.0, log=True),
}
DEPTHS = (3, 8)


def tune_parameters(
    matrices: Matrices, start: TreeParameters, training: Training, k: int, say: Callable[[str], None]
) -> Tuned:
    """Search around the shop file's parameters, which are the first trial; seeded, one trial after the other."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trials: list[dict[str, float]] = []

    def validation_ndcg(trial: optuna.Trial) -> float:
        tried = _suggested(trial, start)
        say(f"tuning: trial {trial.number + 1} of {training.tuning_trials}")
        fit = fit_booster(matrices, "rank", tried, training, k, lambda _: None)
        held = float(smoothed(fit.curve)[fit.rounds - 1])
        trials.append({**trial.params, "validation_ndcg": held})
        return held

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=training.seed))
    given = asdict(start)
    lowest = {name: max(given[name], found.with_start(given[name]).low) for name, found in SEARCHED.items()}
    study.enqueue_trial({"depth": start.depth, **lowest})
    study.optimize(validation_ndcg, n_trials=training.tuning_trials)
    return Tuned(replace(start, **study.best_params), trials)


def _suggested(trial: "optuna.Trial", start: TreeParameters) -> TreeParameters:
    depth = trial.suggest_int("depth", min(DEPTHS[0], start.depth), max(DEPTHS[1], start.depth))
    ranges = {name: found.with_start(getattr(start, name)) for name, found in SEARCHED.items()}
    tried: dict[str, Any] = {
        name: trial.suggest_float(name, one.low, one.high, log=one.log) for name, one in ranges.items()
    }
    return replace(start, depth=depth, **tried)
