import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.ranking import metrics
from components.ranking.metrics import Lists, ranked_lists
from tests.components.ranking import slow_metrics
from tests.components.ranking.slow_metrics import Request

SCORES = st.sampled_from([-1.0, 0.0, 0.5, 0.5000001, 2.0, math.inf, -math.inf, math.nan])  # few values: many ties


@st.composite
def requests(draw: st.DrawFn) -> list[Request]:
    drawn = []
    for size in draw(st.lists(st.integers(0, 7), min_size=1, max_size=5)):
        labels = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
        scores = draw(st.lists(SCORES, min_size=size, max_size=size))
        drawn.append(Request(scores, labels, sum(labels) + draw(st.integers(0, 3))))
    return drawn


def lists_of(drawn: list[Request], k: int) -> Lists:
    request = np.repeat(np.arange(len(drawn)), [len(one.scores) for one in drawn])
    scores = np.array([score for one in drawn for score in one.scores], dtype=np.float32)
    labels = np.array([label for one in drawn for label in one.labels], dtype=np.float32)
    return ranked_lists(request, scores, labels, np.array([one.relevant for one in drawn]), k)


@pytest.mark.parametrize("name", ["ndcg", "average_precision", "hit", "recall", "precision"])
@given(drawn=requests(), k=st.integers(1, 9))
def test_equals_the_definition_on_every_request(name: str, drawn: list[Request], k: int) -> None:
    expected = [getattr(slow_metrics, name)(one, k) for one in drawn]
    np.testing.assert_allclose(getattr(metrics, name)(lists_of(drawn, k)), expected, rtol=1e-12)


@given(drawn=requests(), k=st.integers(1, 9))
def test_no_metric_leaves_0_to_1_whatever_the_ties(drawn: list[Request], k: int) -> None:
    lists = lists_of(drawn, k)
    for metric in (metrics.ndcg, metrics.average_precision, metrics.hit, metrics.recall, metrics.precision):
        found = metric(lists)
        assert np.all(np.isnan(found) | ((found >= 0) & (found <= 1 + 1e-12)))


@given(drawn=requests(), k=st.integers(1, 9))
def test_only_the_order_of_scores_counts(drawn: list[Request], k: int) -> None:
    moved = [Request([4 * score for score in one.scores], one.labels, one.relevant) for one in drawn]
    np.testing.assert_array_equal(lists_of(moved, k).rows, lists_of(drawn, k).rows)


def test_more_requests_than_one_sort_holds_rank_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [Request([float(place % 3) for place in range(size)], [0] * size, 1) for size in (3, 0, 7, 1, 5)]
    whole = lists_of(drawn, k=4).rows
    monkeypatch.setattr(metrics, "KEY_BITS", 32 + 3 + 1)  # two requests of up to seven rows at once
    np.testing.assert_array_equal(lists_of(drawn, k=4).rows, whole)


def test_equal_scores_keep_the_order_of_item_positions() -> None:
    lists = lists_of([Request([1.0, 1.0, 1.0, 2.0], [0, 0, 1, 0], 1)], k=3)
    assert lists.rows.tolist() == [[3, 0, 1]]
    assert metrics.ndcg(lists).tolist() == [0.0]


def test_relevant_items_that_are_no_candidates_lower_the_ideal() -> None:
    scores = metrics.ndcg(lists_of([Request([2.0, 1.0], [1, 0], relevant=2)], k=10))
    assert scores[0] == pytest.approx(1 / (1 + 1 / math.log2(3)))


def test_a_request_without_candidates_scores_zero_and_one_without_success_nothing() -> None:
    scores = metrics.ndcg(lists_of([Request([], [], 2), Request([1.0], [0], 0)], k=3))
    assert scores[0] == 0.0
    assert math.isnan(scores[1])


def test_coverage_counts_distinct_items_of_the_lists() -> None:
    lists = lists_of([Request([3.0, 2.0, 1.0], [0, 0, 0], 1), Request([1.0, 2.0], [0, 0], 1)], k=2)
    items = np.array([4, 1, 2, 1, 0])  # shown: 4, 1 and 0, 1
    belongs = np.array([True, True, True, False, True])
    assert metrics.catalogue_coverage(lists, items, belongs, catalogue=6) == 0.5
    belongs[0] = False
    assert metrics.catalogue_coverage(lists, items, belongs, catalogue=8) == 0.25
    assert metrics.catalogue_coverage(lists, items, np.zeros(5, dtype=bool), catalogue=0) == 0


def test_novelty_is_the_mean_information_of_the_listed_items() -> None:
    lists = lists_of([Request([2.0, 1.0], [0, 0], 1)], k=1)
    popularity = np.array([0.0, 5.0, 1.0])  # smoothed shares: 1/9, 6/9, 2/9
    assert metrics.novelty(lists, np.array([1, 2]), popularity) == pytest.approx(-math.log2(6 / 9))


def test_random_ndcg_is_the_mean_over_random_orders() -> None:
    request, labels = np.array([0] * 5 + [1] * 3), np.array([1, 0, 0, 1, 0, 0, 0, 1])
    relevant, random = np.array([3, 1]), np.random.default_rng(3)
    drawn = [metrics.ndcg(ranked_lists(request, random.random(8), labels, relevant, 2)) for _ in range(20_000)]
    np.testing.assert_allclose(metrics.random_ndcg(request, labels, relevant, 2), np.mean(drawn, axis=0), atol=0.01)
