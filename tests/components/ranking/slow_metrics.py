"""Ranking metrics as their definitions read, one request at a time: what the vectorised ones are held against."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """One request: scores and labels of its candidates, and all its relevant items, candidates or not."""

    scores: list[float]
    labels: list[int]
    relevant: int


def ranked_labels(request: Request, k: int) -> list[int]:
    """Labels in the order shown: by score, equal scores by place, NaN last."""
    places = range(len(request.scores))

    def key(place: int) -> tuple[float, int]:
        score = request.scores[place]
        return (math.inf if math.isnan(score) else -score, place)

    return [request.labels[place] for place in sorted(places, key=key)][:k]


def ndcg(request: Request, k: int) -> float:
    if request.relevant == 0:
        return math.nan
    gain = sum(label / math.log2(rank + 2) for rank, label in enumerate(ranked_labels(request, k)))
    return gain / sum(1 / math.log2(rank + 2) for rank in range(min(k, request.relevant)))


def average_precision(request: Request, k: int) -> float:
    if request.relevant == 0:
        return math.nan
    shown = ranked_labels(request, k)
    found = [sum(shown[: rank + 1]) / (rank + 1) for rank, label in enumerate(shown) if label]
    return sum(found) / min(k, request.relevant)


def hit(request: Request, k: int) -> float:
    return float(any(ranked_labels(request, k)))


def recall(request: Request, k: int) -> float:
    return sum(ranked_labels(request, k)) / request.relevant if request.relevant else math.nan


def precision(request: Request, k: int) -> float:
    return sum(ranked_labels(request, k)) / k
