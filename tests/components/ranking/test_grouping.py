"""Orders within groups are what sorting each group by hand gives, whichever way they are computed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.ranking.grouping import competition_ranks, ranks_within, top_within

ROWS = st.lists(
    st.tuples(
        st.integers(0, 2**40),
        st.sampled_from([math.nan, -math.inf, -1.5, -0.0, 0.0, 1e-30, 2.0, 3.5, math.inf]) | st.floats(width=32),
    ),
    max_size=30,
)


def by_hand(rows):
    """Ranks of rows that are sorted by group: higher first, NaN last, ties as they come."""
    ranks = []
    for place, (group, score) in enumerate(rows):
        others = [(at, other) for at, (same, other) in enumerate(rows) if same == group and at != place]
        ranks.append(sum(comes_before(other, at, score, place) for at, other in others))
    return ranks


def comes_before(other, at, score, place):
    if math.isnan(other) or math.isnan(score):
        return at < place if math.isnan(other) and math.isnan(score) else math.isnan(score)
    return other > score or (other == score and at < place)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(rows=ROWS)
def test_ranks_are_those_found_by_hand(dtype, rows):
    rows = sorted(rows, key=lambda row: row[0])
    group = np.array([group for group, _ in rows], dtype=np.int64)
    score = np.array([score for _, score in rows], dtype=dtype)
    ranks = by_hand(rows)
    assert ranks_within(group, score).tolist() == ranks
    assert top_within(group, score, 2).tolist() == [rank < 2 for rank in ranks]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(rows=ROWS)
def test_standings_count_the_higher_ones_of_the_group(dtype, rows):
    known = [(group, -math.inf if math.isnan(score) else score) for group, score in rows]
    higher = [sum(same == group and other > score for same, other in known) for group, score in known]
    group = np.array([group for group, _ in rows], dtype=np.int64)
    score = np.array([score for _, score in rows], dtype=dtype)
    assert competition_ranks(group, score).tolist() == higher
