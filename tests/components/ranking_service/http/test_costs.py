"""What requests cost, by what they ask for."""

from typing import Any

import pytest

from components.ranking_service.http.costs import cost_of_body, cost_of_list, cost_of_rank
from components.ranking_service.http.schemas import RankRequest, RecommendRequest


@pytest.mark.parametrize(
    ("asked", "cost"),
    [({}, 1), ({"k": 10}, 1), ({"k": 1}, 1), ({"k": 1000}, 8.92), ({"k": 10, "explain": True}, 2)],
)
def test_a_list_costs_by_its_length_and_its_reasons(asked: dict[str, Any], cost: float) -> None:
    assert cost_of_list(RecommendRequest(user_id="ann", **asked)) == pytest.approx(cost)


def test_reasons_cost_only_for_the_items_that_get_them() -> None:
    items = [f"i{number}" for number in range(1000)]
    plain, explained = (
        cost_of_rank(RankRequest(user_id="a", items=items, explain=explain)) for explain in (False, True)
    )
    assert explained - plain == pytest.approx(5)


def test_a_body_costs_by_its_size() -> None:
    assert cost_of_body(0) == 1
    assert 10 < cost_of_body(128 * 1024) < 13
