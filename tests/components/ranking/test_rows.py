"""Codes and positions of items, at their ends and with codes that no item has."""

import numpy as np
import pytest

from components.ranking.rows import Ragged, users_of
from tests.components.ranking.frames import items_of


@pytest.mark.parametrize(
    ("code", "position"),
    [(5, 0), (2, 1), (0, -1), (3, -1), (6, -1), (-1, -1), (-5, -1), (2**31 - 1, -1), (-(2**31), -1)],
)
def test_a_code_has_the_position_of_its_item_or_none(code: int, position: int) -> None:
    items = items_of({"a": 5, "b": 2})
    assert items.positions(np.array([code], dtype=np.int32)).tolist() == [position]


def test_without_items_no_code_has_a_position() -> None:
    assert items_of({}).positions(np.array([0, 7, -1], dtype=np.int32)).tolist() == [-1, -1, -1]


def test_neighbours_that_no_item_is_are_left_out() -> None:
    items = items_of(
        {"a": 5, "b": 2, "c": 9},
        neighbour_item={"a": [2, 77], "b": [], "c": [4, 5]},
        neighbour_similarity={"a": [0.5, 0.25], "b": [], "c": [1.0, 2.0]},
    )
    neighbours, similarity = items.neighbours
    assert neighbours.offsets.tolist() == [0, 1, 1, 2]
    assert neighbours.values.tolist() == [1, 0]
    assert similarity.tolist() == [0.5, 2.0]


@pytest.mark.parametrize(
    ("codes", "kept"),
    [([5, 2], [0, 1]), ([2, 5], [1, 0]), ([2, 77, 5], [2, 0]), ([77], []), ([], [])],
    ids=["in order", "out of order", "with one unknown", "all unknown", "none"],
)
def test_a_history_is_sorted_by_position_and_knows_its_items_only(codes: list[int], kept: list[int]) -> None:
    items = items_of({"a": 5, "b": 2})
    offsets = np.array([0, len(codes)], dtype=np.int64)
    weights = np.arange(len(codes), dtype=np.float32)
    arrays = {
        "history_item": Ragged(offsets, np.array(codes, dtype=np.int32)),
        "history_decay_112": Ragged(offsets, weights),
    }
    found = users_of(np.array(["u"], dtype=object), {}, arrays, items).arrays
    assert found["history_item"].values.tolist() == list(range(len(kept)))
    assert found["history_decay_112"].values.tolist() == [float(place) for place in kept]
    assert found["history_decay_112"].offsets.tolist() == [0, len(kept)]
