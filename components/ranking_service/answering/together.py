"""Answers made together: each alone up to its scoring, then all are scored at once, then each alone again.

An answer's steps are a generator that hands out what is to be scored, and takes the scores back::

    ann  ── row ── candidates ──▶ Unscored ─┐                     ┌─▶ Scored ── rules ──▶ Answer
    bob  ── row ── candidates ──▶ Unscored ─┼─ features, scores ──┼─▶ Scored ── rules ──▶ Answer
    cleo ── row ── candidates ──▶ Unscored ─┘                     └─▶ Scored ── rules ──▶ Answer
"""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from components.ranking.pairs import Pairs
from components.ranking.recommending import Scored
from components.ranking.rows import UserRows
from components.ranking_service.telemetry.stopwatch import Stopwatch

Found = TypeVar("Found")


class Scorer(Protocol):
    """Scores pairs of several users; those that wait for the same one are scored at once."""

    def scored(self, asked: Sequence[tuple[UserRows, Pairs]]) -> list[Scored]:
        """Score the pairs of each: the same bits, however many are asked for at once."""


@dataclass(frozen=True)
class Unscored:
    """A user's pairs on their way to a scorer; the time that scoring takes is put on ``watch``."""

    scorer: Scorer
    user: UserRows
    pairs: Pairs
    watch: Stopwatch


Steps = Generator[Unscored, Scored, Found]


def nothing_to_score() -> Steps[None]:
    """Steps of what only waits for its turn."""
    yield from ()


def together(several: Sequence[Steps[Found]]) -> list[Found | Exception]:
    """Bring several answers to their ends. What goes wrong with one is its own outcome, and nobody else's."""
    answers = [_Answer(steps) for steps in several]
    while waiting := [answer for answer in answers if answer.unscored is not None]:
        _score([answer for answer in waiting if answer.scorer is waiting[0].scorer])
    return [answer.outcome for answer in answers]


class _Answer(Generic[Found]):
    """An answer on its way: what it waits for or, at its end, what became of it."""

    outcome: Found | Exception

    def __init__(self, steps: Steps[Found]) -> None:
        self._steps = steps
        self._go_on(lambda: next(steps))

    @property
    def scorer(self) -> Scorer | None:
        return self.unscored.scorer if self.unscored is not None else None

    def take(self, scored: Scored) -> None:
        self._go_on(lambda: self._steps.send(scored))

    def fail(self, error: Exception) -> None:
        self._go_on(lambda: self._steps.throw(error))

    def _go_on(self, step: Callable[[], Unscored]) -> None:
        self.unscored: Unscored | None = None
        try:
            self.unscored = step()
        except StopIteration as ended:
            self.outcome = ended.value
        except Exception as error:
            self.outcome = error


def _score(answers: "list[_Answer[Found]]") -> None:
    """Score what answers of one scorer wait for, at once; where that fails each alone, so that the others succeed."""
    asked = [answer.unscored for answer in answers if answer.unscored is not None]
    began = time.perf_counter_ns()
    try:
        every = asked[0].scorer.scored([(unscored.user, unscored.pairs) for unscored in asked])
        ended = time.perf_counter_ns()
        scored_of = list(zip(answers, asked, every, strict=True))
    except Exception as error:
        if len(answers) == 1:
            answers[0].fail(error)
        else:
            for answer in answers:
                _score([answer])
        return
    for answer, unscored, scored in scored_of:
        unscored.watch.laps.append(("scoring", began, ended))
        answer.take(scored)
