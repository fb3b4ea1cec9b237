"""A fair line: whose turn is next."""

import pytest

from components.ranking_service import lines
from components.ranking_service.lines import FairLine


def taken(line: FairLine[str], many: int) -> list[str]:
    return [line.pop() for _ in range(many)]


def test_places_of_one_caller_keep_their_order() -> None:
    line: FairLine[str] = FairLine()
    for place in "abc":
        line.append(place, "web", 1.0 if place == "b" else 9.0)
    assert (taken(line, 3), len(line), line.cost, line.cost_of) == (["a", "b", "c"], 0, 0.0, {})


def test_callers_get_equal_shares_of_the_work_not_of_the_places() -> None:
    line: FairLine[str] = FairLine()
    for _ in range(20):
        line.append("heavy", "much", 4.0)
        line.append("light", "little", 1.0)
    assert taken(line, 20).count("light") == 16


def test_a_caller_that_was_away_saves_nothing_up() -> None:
    line: FairLine[str] = FairLine()
    for _ in range(10):
        line.append("a", "one", 1.0)
    taken(line, 6)
    for _ in range(4):
        line.append("b", "late", 1.0)
    assert sorted(taken(line, 4)) == ["a", "a", "b", "b"]


def test_only_so_many_callers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_ENDS", 3)
    line: FairLine[str] = FairLine()
    line.append("last", "patient", 1.0)
    line._now = 100.0
    for number in range(10):
        line.append("x", f"caller {number}", 1.0)
        line._now += 1
    assert len(line._ends) <= 4
