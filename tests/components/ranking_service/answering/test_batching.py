"""Answers made together are those made alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import numpy as np
import pytest

from components.ranking.pairs import Pairs
from components.ranking.recommending import Scored
from components.ranking.rows import UserRows
from components.ranking_service.answering.answers import Answer, Filters, RankingQuery
from components.ranking_service.answering.batching import answer_together
from components.ranking_service.answering.recommender import Prepared, Recommender
from tests.components.ranking_service.served_shop import Stocked, answered, recommender

QUERIES = (
    RankingQuery("u1", 5),
    RankingQuery("u2", 12, exclude=["i03"]),
    RankingQuery("nobody", 5),
    RankingQuery("u3", 5, viewed=["i01", "i07"]),
    RankingQuery("passer-by", 5, viewed=["i02"]),
    RankingQuery("u4", 3, filters=Filters(sources=["popular"], in_stock_only=False)),
    RankingQuery("u1", 5, explain=True),
    RankingQuery("u5", 5, filters=Filters(brands=["no such brand"])),
    RankingQuery("u1", items=["i05", "i01", "no such item"]),
)


@dataclass
class FakeRecommender:
    """Scores a pair by its item; cannot score user "bad", nor finish user "worse"."""

    group_sizes: list[int] = field(default_factory=list)

    def score(self, several: Sequence[Prepared]) -> list[Scored]:
        self.group_sizes.append(len(several))
        if any(prepared.query.user_id == "bad" for prepared in several):
            raise ValueError("a bad user")
        nothing = np.empty((1, 0), dtype=np.float32)
        scores = [(prepared.pairs, prepared.pairs.item.astype(np.float32)) for prepared in several]
        return [Scored(pairs, score, nothing, nothing) for pairs, score in scores]

    def finish(self, prepared: Prepared, scored: Scored) -> float:
        if prepared.query.user_id == "worse":
            raise ValueError("a worse user")
        return float(scored.score[0])


def prepared(fake: FakeRecommender, user_id: str, item: int) -> Callable[[], Prepared]:
    one = np.zeros(1, dtype=np.int32)
    user, pairs = UserRows(np.array([user_id], dtype=object), {}, {}), Pairs(one, one + item, one.astype(np.uint32))
    return partial(Prepared, cast(Recommender, fake), RankingQuery(user_id), user, pairs, None)


@pytest.fixture
def ours(shop: Stocked) -> Iterator[Recommender]:
    with recommender(shop) as ours:
        yield ours


def content(answer: Answer | Exception) -> tuple[object, ...]:
    assert isinstance(answer, Answer)
    return answer.items, answer.bundle, answer.fallback, answer.features.tobytes()


def test_all_kinds_of_answers_are_the_same_alone_and_together_to_the_last_bit(ours: Recommender) -> None:
    alone = [content(answered(ours, query)) for query in QUERIES]
    together = answer_together([partial(ours.prepare, query) for query in QUERIES])
    assert [content(answer) for answer in together] == alone
    assert len({str(items) for items, *_ in alone}) >= 7


def test_those_of_one_recommender_are_scored_at_once() -> None:
    ours, other = FakeRecommender(), FakeRecommender()
    fakes = (ours, other, ours, ours, other)
    assert answer_together([prepared(fake, "u", place) for place, fake in enumerate(fakes)]) == [0, 1, 2, 3, 4]
    assert (ours.group_sizes, other.group_sizes) == ([3], [2])


def test_each_of_a_group_records_the_time_of_its_scoring() -> None:
    fakes = [FakeRecommender()] * 2 + [FakeRecommender()]
    several = [prepared(fake, "u", 0)() for fake in fakes]
    answer_together([partial(lambda one: one, one) for one in several])
    first, second, alone = (one.query.stopwatch.laps for one in several)
    assert [stage for stage, _, _ in first] == ["scoring"]
    assert first == second != alone


@pytest.mark.parametrize(("failing", "group_sizes"), [("bad", [3, 1, 1, 1]), ("worse", [3])])
def test_one_that_cannot_be_scored_or_finished_fails_alone(failing: str, group_sizes: list[int]) -> None:
    fake = FakeRecommender()
    users = ("ann", failing, "bob")
    first, failure, last = answer_together([prepared(fake, user, place) for place, user in enumerate(users)])
    assert (first, last) == (0, 2)
    assert isinstance(failure, ValueError)
    assert fake.group_sizes == group_sizes


def test_one_that_cannot_be_prepared_fails_alone() -> None:
    def failing() -> Prepared:
        raise ValueError("bad")

    failure, answer = answer_together([failing, prepared(FakeRecommender(), "ann", 7)])
    assert isinstance(failure, ValueError)
    assert answer == 7


def test_what_needs_no_scoring_is_its_own_result() -> None:
    assert answer_together([lambda: "done"]) == ["done"]
    assert answer_together([]) == []
