"""Answers are made in a fair order, in groups, and what would wait too long is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from components.ranking.pairs import Pairs
from components.ranking.recommending import Scored
from components.ranking.rows import UserRows
from components.ranking_service.answering.answer_queue import GROUP_SIZE, NEW_SHARE, ROUND_SECONDS, AnswerQueue
from components.ranking_service.answering.answers import RankingQuery
from components.ranking_service.answering.recommender import Prepared, Recommender
from components.ranking_service.settings import Limits
from tests.components.ranking_service.clocks import Clock

PATIENT = Limits(waiting_seconds=1000)


@dataclass
class Maker:
    """Makes answers that take ``seconds`` each by its clock, and notes which were made in one group."""

    seconds: float = 0.0
    clock: Clock = field(default_factory=Clock)
    groups: list[list[int]] = field(default_factory=list)
    on_finish: Callable[[int], object] = lambda number: None

    @property
    def made(self) -> list[int]:
        return [number for group in self.groups for number in group]

    @property
    def group_sizes(self) -> list[int]:
        return [len(group) for group in self.groups]

    def queue(self, limits: Limits = PATIENT, first_guess_seconds: float | None = None) -> AnswerQueue:
        return AnswerQueue(limits, self.clock, first_guess_seconds or self.seconds or 0.005)

    def answer(self, number: int) -> Any:
        """Return what prepares an answer, which is its number."""

        def prepare() -> Prepared:
            nothing = Pairs(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint32))
            user = UserRows(np.empty(0, object), {}, {})
            return Prepared(cast(Recommender, self), RankingQuery(str(number)), user, nothing, None)

        return prepare

    def score(self, group: list[Prepared]) -> list[Scored]:
        self.clock.now += self.seconds * len(group)
        self.groups.append([int(prepared.query.user_id) for prepared in group])
        return [cast(Scored, None)] * len(group)

    def finish(self, prepared: Prepared, scored: Scored) -> int:
        number = int(prepared.query.user_id)
        self.on_finish(number)
        return number


async def outcomes(*asked: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*asked, return_exceptions=True)


def refusals(found: list[Any]) -> list[int | None]:
    return [one.status_code if isinstance(one, HTTPException) else None for one in found]


def test_answers_are_made_in_order_and_the_loop_runs_between_rounds() -> None:
    async def crowd() -> tuple[Maker, list[int]]:
        maker, seen = Maker(ROUND_SECONDS / GROUP_SIZE), []
        queue = maker.queue()

        async def look() -> None:
            while len(maker.made) < 20:
                seen.append(len(maker.made))
                assert queue.pending == (20 - len(maker.made) if maker.made else 0)
                await asyncio.sleep(0)

        _, *answers = await outcomes(look(), *(queue.answer(maker.answer(number)) for number in range(20)))
        assert answers == list(range(20))
        assert queue.pending == 0
        return maker, seen

    maker, seen = asyncio.run(crowd())
    assert maker.made == list(range(20))
    assert set(seen) - {0} == {1, 9, 17}, "the first alone, those who had to wait eight at a time"


def test_what_would_wait_for_too_long_is_shed_at_once() -> None:
    maker = Maker(0.001)
    queue = maker.queue(Limits(waiting_seconds=0.25), first_guess_seconds=0.1)
    results = asyncio.run(outcomes(*(queue.answer(maker.answer(number)) for number in range(10))))
    assert results[:4] == [0, 1, 2, 3], "one at once, three after a wait"
    assert refusals(results[4:]) == [503] * 6
    assert (queue.shed, queue.pending) == (6, 0)
    assert queue.mean_seconds < 0.1


def test_a_slow_answer_never_closes_an_idle_service() -> None:
    maker = Maker(1.0)
    queue = maker.queue(Limits(waiting_seconds=0.25), first_guess_seconds=60.0)

    def while_it_is_made(number: int) -> None:
        assert not queue.has_capacity
        with pytest.raises(HTTPException) as refused:
            queue.check()
        assert refused.value.headers == {"Retry-After": "60"}

    maker.on_finish = while_it_is_made
    assert queue.has_capacity
    assert asyncio.run(outcomes(queue.answer(maker.answer(7)))) == [7]
    assert queue.has_capacity
    assert queue.mean_seconds < 60.0


def test_answers_made_together_share_the_time_that_they_took() -> None:
    maker = Maker(0.002)
    queue = maker.queue(first_guess_seconds=0.001)
    assert asyncio.run(outcomes(*(queue.answer(maker.answer(number)) for number in range(5)))) == [0, 1, 2, 3, 4]
    assert maker.group_sizes == [1, 4]
    after_first = 0.001 + NEW_SHARE * (0.002 - 0.001)
    share_of_four = 1 - (1 - NEW_SHARE) ** 4
    assert queue.mean_seconds == pytest.approx(after_first + share_of_four * (0.002 - after_first)), "0.008 s for four"


@pytest.mark.parametrize(
    ("answer_seconds", "waiting", "group_sizes"),
    [(0.001, 20, [1, 8, 8, 4]), (0.00625, 12, [1, 4, 4, 4]), (3.0, 3, [1, 1, 1, 1])],
)
def test_slow_answers_are_made_in_smaller_groups(answer_seconds: float, waiting: int, group_sizes: list[int]) -> None:
    maker = Maker(answer_seconds)
    queue = maker.queue()
    asyncio.run(outcomes(*(queue.answer(maker.answer(number)) for number in range(waiting + 1))))
    assert maker.group_sizes == group_sizes


def test_when_the_loop_is_busy_answers_get_as_long_as_all_else() -> None:
    maker, seen = Maker(0.001), []
    queue = maker.queue()

    async def busy() -> None:
        while len(maker.made) < 60:
            seen.append(len(maker.made))
            maker.clock.now += 0.03  # refusing, say
            await asyncio.sleep(0)

    asyncio.run(outcomes(busy(), *(queue.answer(maker.answer(number)) for number in range(60))))
    assert max(np.diff(seen)) > GROUP_SIZE
    assert max(np.diff(seen)) <= ROUND_SECONDS / maker.seconds + 1


def test_what_no_answer_may_raise_stops_nobody_else() -> None:
    class Panic(BaseException):
        pass

    def panicking() -> Any:
        raise Panic("a library gave up")

    async def one_panics() -> None:
        maker = Maker()
        queue = maker.queue()
        with pytest.raises(Panic):
            await queue.answer(panicking)
        assert await asyncio.wait_for(queue.answer(maker.answer(7)), 30) == 7
        assert queue.pending == 0

    asyncio.run(one_panics())


def test_a_caller_that_leaves_once_the_answer_is_made_is_counted_once() -> None:
    async def too_late() -> None:
        maker = Maker()
        queue = maker.queue()
        tasks = [asyncio.create_task(queue.answer(maker.answer(number))) for number in range(3)]
        loop = asyncio.get_running_loop()
        maker.on_finish = lambda number: loop.call_soon(tasks[2].cancel) if number == 1 else None
        results = await outcomes(*tasks)
        assert maker.group_sizes == [1, 2]
        assert results[:2] == [0, 1]
        assert isinstance(results[2], asyncio.CancelledError)
        assert queue.pending == 0

    asyncio.run(too_late())


def test_callers_that_leave_the_queue_hold_up_nobody() -> None:
    async def some_leave() -> None:
        maker = Maker()
        queue = maker.queue()
        tasks = [asyncio.create_task(queue.answer(maker.answer(number))) for number in range(6)]
        await asyncio.sleep(0)
        for number in (2, 3):
            tasks[number].cancel()
        results = await outcomes(*tasks)
        assert [isinstance(one, asyncio.CancelledError) for one in results] == [False] * 2 + [True] * 2 + [False] * 2
        assert (maker.made, queue.pending) == ([0, 1, 4, 5], 0)

    asyncio.run(some_leave())


def test_an_answer_that_fails_fails_alone() -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise ValueError("bad")

    maker = Maker(on_finish=fail)
    queue = maker.queue()
    results = asyncio.run(outcomes(*(queue.answer(maker.answer(number)) for number in (2, 0, 1, 2, 3))))
    assert [one for one in results if not isinstance(one, ValueError)] == [0, 1, 3]
    assert (maker.group_sizes, queue.pending) == ([1, 4], 0)


def test_a_caller_that_asks_for_little_is_answered_before_all_of_one_that_asks_for_much() -> None:
    maker = Maker(ROUND_SECONDS)  # a group is one answer
    queue = maker.queue()
    much = [queue.answer(maker.answer(number), "much", cost=20) for number in range(5)]
    little = [queue.answer(maker.answer(number), "little") for number in (100, 101)]
    asyncio.run(outcomes(*much, *little))
    assert maker.made == [0, 1, 100, 101, 2, 3, 4]


def test_callers_are_shed_by_their_own_lines() -> None:
    maker = Maker()
    queue = maker.queue(Limits(waiting_seconds=0.25), first_guess_seconds=0.01)
    much = [queue.answer(maker.answer(number), "much", cost=20) for number in range(5)]
    little = [queue.answer(maker.answer(number), "little") for number in range(5)]
    results = asyncio.run(outcomes(*much, *little))
    assert refusals(results) == [None] * 3 + [503] * 2 + [None] * 5


def test_a_crowd_of_callers_waits_for_no_longer_than_the_budget_either() -> None:
    maker = Maker()
    queue = maker.queue(Limits(waiting_seconds=0.25), first_guess_seconds=0.1)
    crowd = (queue.answer(maker.answer(number), f"caller {number}") for number in range(10))
    assert refusals(asyncio.run(outcomes(*crowd))) == [None] * 4 + [503] * 6


def test_other_work_waits_for_rounds_of_its_own_and_teaches_nothing_of_answers() -> None:
    async def works() -> tuple[list[Any], list[int]]:
        done: list[int] = []

        def seen() -> int:
            """Note how much was done when this began; the loop runs between two works, so that each sees another."""
            done.append(len(results))
            return len(done)

        results: list[int] = []

        async def one() -> int:
            result = await queue.run(seen, "web", 2.0)
            results.append(result)
            return result

        return await outcomes(*(one() for _ in range(10))), done

    queue = AnswerQueue(Limits(waiting_seconds=0.25), first_guess_seconds=10.0)
    found, done = asyncio.run(works())
    assert (found, done) == (list(range(1, 11)), list(range(10)))
    assert (queue.mean_seconds, queue.shed) == (10.0, 0)
