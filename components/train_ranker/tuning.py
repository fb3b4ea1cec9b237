"""Bounded tuning: a fixed number of Optuna trials over the trees' parameters, judged on the validation slice."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from components.contracts.shop import Training
from components.train_ranker.boosting import Matrices, TreeParameters, fit_booster


@dataclass(frozen=True)
class Tuned:
    """The best parameters of the trials and of the shop file, and how each did."""

    parameters: TreeParameters
    trials: list[dict[str, float]]


def tune_parameters(
    matrices: Matrices, start: TreeParameters, training: Training, k: int, say: Callable[[str], None]
) -> Tuned:
    """Search around the shop file's parameters, which are the first trial; seeded, one trial after the other."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trials: list[dict[str, float]] = []

    def validation_ndcg(trial: optuna.Trial) -> float:
        tried = replace(
            start,
            depth=trial.suggest_int("depth", 3, 8),
            learning_rate=trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
            columns_per_tree=trial.suggest_float("columns_per_tree", 0.2, 1.0),
            min_child_weight=trial.suggest_float("min_child_weight", 1.0, 100.0, log=True),
            l2=trial.suggest_float("l2", 0.1, 100.0, log=True),
        )
        say(f"tuning: trial {trial.number + 1} of {training.tuning_trials}")
        best = max(fit_booster(matrices, "rank", tried, training, k, lambda _: None).curve)
        trials.append({**trial.params, "validation_ndcg": best})
        return best

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=training.seed))
    study.enqueue_trial({name: value for name, value in asdict(start).items() if name in _TUNED})
    study.optimize(validation_ndcg, n_trials=training.tuning_trials)
    return Tuned(replace(start, **study.best_params), trials)


_TUNED = ("depth", "learning_rate", "columns_per_tree", "min_child_weight", "l2")
