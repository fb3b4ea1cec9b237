"""Score contenders: all rank the same held-out requests, and all intervals come from the same draws."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.contracts.verdict import Comparison, Contender, Score
from components.evaluate_ranker.heldout import Heldout
from components.ranking.metrics import (
    Lists,
    average_precision,
    catalogue_coverage,
    hit,
    ndcg,
    novelty,
    precision,
    recall,
)
from components.ranking.resampling import interval, resampled_means
from components.shop.settings import Gate

CHALLENGER, CHAMPION = "challenger", "champion"
ALL = None
BY_REQUEST = {"map": average_precision, "hit_rate": hit, "recall": recall, "precision": precision}
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tournament:
    """Every contender's results, and the resampled means behind the intervals.

    ``means[name][slice]`` are (mean, float64 [resamples]) of NDCG; the slice None is all requests. ``weeks`` has the
    mean NDCG of each contender by request time.
    """

    contenders: tuple[Contender, ...]
    means: dict[str, dict[str | None, tuple[float, Floats]]]
    users: dict[str | None, int]
    gate: Gate
    weeks: dict[str, dict[str, float]]

    def contender(self, name: str) -> Contender:
        """Results of one contender."""
        return next(one for one in self.contenders if one.name == name)

    def best_of(self, names: tuple[str, ...]) -> str:
        """Return the contender with the highest mean NDCG."""
        return max(names, key=lambda name: self.contender(name).ndcg.mean)

    def compare(self, against: str, part: str | None = ALL) -> Comparison:
        """Compare the challenger's NDCG with another contender's, paired, on all requests or a slice."""
        mine, theirs = self.means[CHALLENGER][part], self.means[against][part]
        difference = _score(mine[0] - theirs[0], mine[1] - theirs[1], self.gate.confidence)
        return Comparison(against, difference, theirs[0], part, self.users[part])


def hold_tournament(scores: Mapping[str, NDArray[np.floating]], heldout: Heldout, gate: Gate, seed: int) -> Tournament:
    """Judge contenders by name, each with a score for every held-out row."""
    lists = {name: heldout.lists(values) for name, values in scores.items()}
    parts: dict[str | None, NDArray[np.bool_]] = {ALL: heldout.judged} | heldout.slices
    gains = {name: ndcg(ranked) for name, ranked in lists.items()}
    columns = [np.where(mask, gains[name], np.nan) for name in lists for mask in parts.values()]
    columns += [_judged(metric(ranked), heldout) for ranked in lists.values() for metric in BY_REQUEST.values()]
    values = np.column_stack(columns)
    resampled = resampled_means(values, heldout.user, gate.resamples, seed)
    results = iter(zip(np.nanmean(values, axis=0).tolist(), resampled.T, strict=True))
    means = {name: {part: next(results) for part in parts} for name in lists}
    measures = {name: {metric: next(results) for metric in BY_REQUEST} for name in lists}
    users = {part: heldout.users_of(mask) for part, mask in parts.items()}
    contenders = tuple(
        _contender(name, lists[name], means[name], measures[name], users, heldout, gate) for name in lists
    )
    return Tournament(contenders, means, users, gate, _by_time(gains, heldout))


def _by_time(gains: Mapping[str, Floats], heldout: Heldout) -> dict[str, dict[str, float]]:
    """Mean NDCG of each contender by request time (ISO 8601): whether an advantage holds in every held-out week."""
    times = heldout.split.requests["request_time"].to_pylist()
    moments = np.array([moment.isoformat() for moment in times])
    weeks = {moment: heldout.judged & (moments == moment) for moment in sorted(set(moments.tolist()))}
    return {
        moment: {name: float(gain[mask].mean()) for name, gain in gains.items()}
        for moment, mask in weeks.items()
        if mask.any()
    }


def _contender(
    name: str,
    lists: Lists,
    means: dict[str | None, tuple[float, Floats]],
    measures: dict[str, tuple[float, Floats]],
    users: dict[str | None, int],
    heldout: Heldout,
    gate: Gate,
) -> Contender:
    of_lists = {
        "coverage": catalogue_coverage(lists, heldout.item, heldout.sold, heldout.catalogue),
        "novelty": novelty(lists, heldout.item, heldout.popularity),
    }
    return Contender(
        name=name,
        ndcg=_score(*means[ALL], gate.confidence),
        metrics={metric: mean for metric, (mean, _) in measures.items()} | _known(of_lists),
        slices={part: _score(*values, gate.confidence) for part, values in means.items() if part is not ALL},
        slice_users={part: count for part, count in users.items() if part is not ALL},
        intervals={metric: _score(*values, gate.confidence) for metric, values in measures.items()},
    )


def _known(metrics: dict[str, float]) -> dict[str, float]:
    """Return metrics without those that empty lists do not have."""
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _score(mean: float, resampled: Floats, confidence: float) -> Score:
    low, high = interval(resampled, confidence).tolist()
    return Score(float(mean), low, high)


def _judged(values: Floats, heldout: Heldout) -> Floats:
    return np.where(heldout.judged, values, np.nan)
