"""Answers made together: each query is prepared alone, the pairs of all are scored at once, each is finished alone.

::

    ann  ── prepare ─┐                     ┌─ finish ──▶ Answer
    bob  ── prepare ─┼─ features, scores ──┼─ finish ──▶ Answer
    cleo ── prepare ─┘                     └─ finish ──▶ Answer

Most of the cost of scoring is the number of array operations, and eight users need hardly more of them than one.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from components.ranking.recommending import Scored
from components.ranking_service.answering.recommender import Prepared

Result = TypeVar("Result")
Prepare = Callable[[], Prepared | Result]
"""Prepares a query for scoring; or returns a result for which nothing has to be scored."""


def answer_together(prepares: Sequence[Prepare[Any]]) -> list[Any]:
    """Return the result of each, or the exception that it failed with; a failure affects no other one."""
    outcomes = [_outcome_of(prepare) for prepare in prepares]
    by_recommender: dict[int, list[int]] = {}
    for place, outcome in enumerate(outcomes):
        if isinstance(outcome, Prepared):
            by_recommender.setdefault(id(outcome.recommender), []).append(place)
    for places in by_recommender.values():
        answers = _answers([outcomes[place] for place in places])
        for place, answer in zip(places, answers, strict=True):
            outcomes[place] = answer
    return outcomes


def _answers(group: Sequence[Prepared]) -> list[Any]:
    """Score a group of one recommender at once, where that fails each alone, and finish each."""
    began = time.perf_counter_ns()
    try:
        several = group[0].recommender.score(group)
    except Exception as error:
        return [error] if len(group) == 1 else [_answers([prepared])[0] for prepared in group]
    ended = time.perf_counter_ns()
    for prepared in group:
        prepared.query.stopwatch.laps.append(("scoring", began, ended))
    return [_outcome_of(_finish, prepared, scored) for prepared, scored in zip(group, several, strict=True)]


def _finish(prepared: Prepared, scored: Scored) -> Any:
    return prepared.recommender.finish(prepared, scored)


def _outcome_of(step: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return step(*arguments)
    except Exception as error:
        return error
