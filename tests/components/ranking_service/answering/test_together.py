"""Answers made together are those made alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from components.ranking.pairs import Pairs
from components.ranking.recommending import Scored
from components.ranking.rows import UserRows
from components.ranking_service.answering.answers import Answer, Asked
from components.ranking_service.answering.recommender import Recommender
from components.ranking_service.answering.together import Steps, Unscored, together
from components.ranking_service.telemetry.stopwatch import Stopwatch
from tests.components.ranking_service.served_shop import Stocked, made, recommender

EVERY_KIND = (
    Asked("u1", 5),
    Asked("u2", 12, exclude=["i03"]),
    Asked("nobody", 5),
    Asked("u3", 5, viewed=["i01", "i07"]),
    Asked("passer-by", 5, viewed=["i02"]),
    Asked("u4", 3, sources=["popular"], any_stock=True),
    Asked("u1", 5, explain=True),
)


@dataclass
class Scorer:
    """Scores a pair by its item; cannot score user "bad"."""

    groups: list[int] = field(default_factory=list)

    def __hash__(self) -> int:
        return id(self)

    def scored(self, asked: Sequence[tuple[UserRows, Pairs]]) -> list[Scored]:
        self.groups.append(len(asked))
        if any(user.user_ids[0] == "bad" for user, _ in asked):
            raise ValueError("a bad user")
        nothing = np.empty((1, 0), dtype=np.float32)
        return [Scored(pairs, pairs.item.astype(np.float32), nothing, nothing) for _, pairs in asked]


def steps(scorer: Scorer, user_id: str, item: int, watch: Stopwatch) -> Steps[float]:
    one = np.zeros(1, dtype=np.int32)
    user = UserRows(np.array([user_id], dtype=object), {}, {})
    scored = yield Unscored(scorer, user, Pairs(one, one + item, one.astype(np.uint32)), watch)
    return float(scored.score[0])


@pytest.fixture
def asked(shop: Stocked) -> Iterator[Recommender]:
    with recommender(shop) as found:
        yield found


def told(answer: Answer | Exception) -> tuple[object, ...]:
    assert isinstance(answer, Answer)
    return answer.items, answer.bundle, answer.fallback, answer.features.tobytes()


def test_all_kinds_of_answers_are_the_same_alone_and_together_to_the_last_bit(asked: Recommender) -> None:
    every = [*EVERY_KIND, Asked("u5", 5, wanted=np.zeros(len(asked.stock.items), dtype=bool))]
    alone = [told(made(asked.recommend(one, Stopwatch()))) for one in every]
    found = together([asked.recommend(one, Stopwatch()) for one in every])
    assert [told(answer) for answer in found] == alone
    assert len({items for items, *_ in alone}) >= 7


def test_a_given_order_stands_beside_lists(asked: Recommender) -> None:
    given = ["i05", "i01", "no such item"]
    ordered, listed = together(
        [asked.rank(Asked("u1"), given, Stopwatch()), asked.recommend(EVERY_KIND[0], Stopwatch())]
    )
    assert told(ordered) == told(made(asked.rank(Asked("u1"), given, Stopwatch())))
    assert told(listed) == told(made(asked.recommend(EVERY_KIND[0], Stopwatch())))


def test_those_of_one_scorer_are_scored_at_once() -> None:
    ours, others, watches = Scorer(), Scorer(), [Stopwatch() for _ in range(5)]
    scorers = (ours, others, ours, ours, others)
    found = together([steps(scorer, "u", place, watches[place]) for place, scorer in enumerate(scorers)])
    assert found == [0, 1, 2, 3, 4]
    assert (ours.groups, others.groups) == ([3], [2])
    ((stage, began, ended),) = watches[0].laps
    assert (stage, watches[2].laps) == ("scoring", [(stage, began, ended)])
    assert watches[1].laps != watches[0].laps


def test_one_that_cannot_be_scored_fails_alone() -> None:
    scorer = Scorer()
    users = ("ann", "bad", "bob")
    first, bad, last = together([steps(scorer, user, place, Stopwatch()) for place, user in enumerate(users)])
    assert (first, last) == (0, 2)
    assert isinstance(bad, ValueError)
    assert scorer.groups == [3, 1, 1, 1]


def test_nobody_is_answered_by_nothing() -> None:
    assert together([]) == []
