"""The readout of an experiment: from the feedback log to one document."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.contracts.errors import ConfigurationError
from components.contracts.feedback import SERVED
from components.experiments.experiment import ARMS, CHAMPION, Experiment, experiment_file, read_experiment
from components.experiments.outcomes import Outcomes, find_hits, outcomes_of
from components.experiments.shadow import read_shadow
from components.experiments.statistics import compare_arms, sample_ratio
from components.experiments.words import reasons
from components.feedback.reading import served_events, served_lists
from components.home.layout import Home

Document = dict[str, Any]
NOT_READ = {"context", "scores", "propensities", "features", "shadow_scores"}
COLUMNS = [name for name in SERVED.names if name not in NOT_READ]


def running_experiment(home: Home, environment: str) -> Experiment:
    """Return the experiment of an environment.

    Raises:
        ConfigurationError: there is none, or its file is wrong.
    """
    location = experiment_file(home, environment)
    experiment = read_experiment(location)
    if experiment is None:
        raise ConfigurationError(
            f"{location}: found no experiment, expected a file that gives its `name` and each arm's share, such as"
            " `arms.champion.share = 0.9` and `arms.challenger.share = 0.1`; `rankloop experiment --help` shows one"
        )
    return experiment


def read_out(home: Home, environment: str, horizon: timedelta) -> Document:
    """Read out the experiment of an environment; ``reasons`` say in words what the figures mean.

    Raises:
        ConfigurationError: as ``running_experiment``.
        SourceError: the log cannot be read.
    """
    experiment = running_experiment(home, environment)
    lists, events = experiment_lists(home, experiment.name), served_events(home)
    hits = find_hits(lists, events, horizon)
    log = _Log(lists, outcomes_of(hits, len(lists)))
    shadow = read_shadow(lists, log.of(CHAMPION) & ~log.fell_back, hits)
    ratio = sample_ratio(log.users, experiment.shares)
    document: Document = {
        "experiment": experiment.name,
        "environment": environment,
        "horizon_days": horizon / timedelta(days=1),
        "from": _iso(pc.min(lists["event_time"])),
        "to": _iso(pc.max(lists["event_time"])),
        "lists": len(lists),
        "lists_within_horizon": _within_horizon(lists, events, horizon),
        "users": len(np.unique(log.user)),
        "users_of_several_arms": len(np.unique(log.user[~log.steady])),
        "arms": _arms(log, experiment.shares),
        "sample_ratio": asdict(ratio) | {"mismatch": ratio.mismatch},
        "shadow": asdict(shadow) if shadow else None,
    }
    return document | {"reasons": reasons(document)}


class _Log:
    """The lists and their outcomes as arrays, [lists]; ``steady`` leaves out users who saw several arms."""

    def __init__(self, lists: pa.Table, outcomes: Outcomes) -> None:
        self.arm, self.user, self.bundle, self.fallback = (
            np.asarray(lists[name].to_numpy(), dtype=object) for name in ("arm", "user_id", "bundle", "fallback")
        )
        self.fell_back: NDArray[np.bool_] = lists["fallback"].is_valid().to_numpy()
        self.steady = ~np.isin(self.user, _users_of_several(lists))
        self.measures: dict[str, NDArray[np.float64]] = {
            "click_through_rate": outcomes.clicked.astype(np.float64),
            "conversion_rate": outcomes.bought.astype(np.float64),
            "mean_reciprocal_rank": outcomes.reciprocal_rank,
        }

    @property
    def users(self) -> dict[str, int]:
        """Steady users of each arm."""
        return {arm: len(np.unique(self.user[self.of(arm)])) for arm in ARMS}

    def of(self, arm: str) -> NDArray[np.bool_]:
        """Return lists of an arm's steady users."""
        return np.asarray((self.arm == arm) & self.steady, dtype=bool)


def _arms(log: _Log, shares: Mapping[str, float]) -> dict[str, Document]:
    """Return every arm that the file names or that was shown; its rates leave out the lists that fell back."""
    ranked = {name: np.where(log.fell_back, np.nan, values) for name, values in log.measures.items()}
    measures = {"fallback_share": log.fell_back.astype(np.float64), **ranked}
    steady = {name: values[log.steady] for name, values in measures.items()}
    compared = compare_arms(log.arm[log.steady], log.user[log.steady], steady)
    return {
        arm: {
            "share": shares.get(arm),
            "bundles": sorted(set(log.bundle[log.of(arm) & ~log.fell_back])),
            "users": log.users[arm],
            "lists": int(log.of(arm).sum()),
            **(compared[arm].document if arm in compared else {"lift": {}}),
            "fell_back": _fell_back(log, log.of(arm) & log.fell_back),
        }
        for arm in ARMS
        if arm in shares or (log.arm == arm).any()
    }


def _fell_back(log: _Log, rows: NDArray[np.bool_]) -> Document:
    names, counts = np.unique(log.fallback[rows].astype(str), return_counts=True)
    rates = {name: float(values[rows].mean()) if rows.any() else None for name, values in log.measures.items()}
    return {"lists": int(rows.sum()), "fallbacks": dict(zip(names.tolist(), counts.tolist(), strict=True)), **rates}


def _users_of_several(lists: pa.Table) -> list[str]:
    pairs = lists.group_by(["user_id", "arm"]).aggregate([])
    counts = pairs.group_by("user_id").aggregate([("arm", "count")])
    return list(counts.filter(pc.greater(counts["arm_count"], 1))["user_id"].to_pylist())


def _within_horizon(lists: pa.Table, events: pa.Table, horizon: timedelta) -> int:
    """Return how many lists are younger than the horizon, by the newest entry of the log: more may follow them."""
    newest = [pc.max(table["event_time"]).as_py() for table in (lists, events) if len(table)]
    return sum(at > max(newest) - horizon for at in lists["event_time"].to_pylist())


def _iso(moment: pa.Scalar) -> str | None:
    return moment.as_py().isoformat() if moment.is_valid else None


def experiment_lists(home: Home, experiment: str) -> pa.Table:
    """Return the lists that were answered under an experiment, each request once, in the order of time."""
    every = served_lists(home, COLUMNS)
    lists = every.filter(pc.equal(every["experiment"], experiment)).sort_by("event_time")
    _, first = np.unique(lists["request_id"].to_numpy(), return_index=True)  # callers may name requests alike
    return lists.take(pa.array(np.sort(first)))
