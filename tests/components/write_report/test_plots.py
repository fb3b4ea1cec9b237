"""Where marks stand: always within the plot, in order, on round ticks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contracts.verdict import Score
from components.write_report.plots import axis, columns, dot_plot, line_plot

numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))


def test_ticks_are_round_and_within() -> None:
    scale = axis(0.0, 0.302, str)
    assert [round(float(tick.label), 6) for tick in scale.ticks] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert scale.at(0.2) == 50.0


@given(low=numbers, high=numbers, value=numbers)
def test_places_never_leave_the_axis(low: float, high: float, value: float) -> None:
    scale = axis(low, high, str)
    assert 0.0 <= scale.at(value) <= 100.0
    assert all(0.0 <= tick.at <= 100.0 for tick in scale.ticks)


@given(st.lists(st.tuples(numbers, numbers, numbers).map(sorted), min_size=1, max_size=6))
def test_intervals_hold_their_means(bounds: list[list[float]]) -> None:
    plot = dot_plot([("name", "baseline", Score(mean, low, high)) for low, mean, high in bounds], str)
    assert plot is not None
    assert all(0.0 <= dot.low <= dot.at <= dot.high <= 100.0 for dot in plot.dots)


def test_columns_start_at_zero_and_share_the_width() -> None:
    plot = columns([2.0, 0.0, 4.0], ["a", "b", "c"], str)
    assert plot is not None
    assert [bar.height for bar in plot.bars] == [50.0, 0.0, 100.0]
    assert plot.bars[-1].at + plot.bars[-1].size <= 100


@pytest.mark.parametrize("values", [[], [0.0, 0.0]])
def test_nothing_to_draw_is_none(values: list[float]) -> None:
    assert columns(values, [""] * len(values), str) is None
    assert line_plot([("a", values[:1])], str, {}) is None
    assert dot_plot([], str) is None


def test_long_lines_are_thinned_but_keep_their_end() -> None:
    plot = line_plot([("rank", [float(value) for value in range(1001)])], str, {"rank": 501})
    assert plot is not None
    points = plot.lines[0].points.split()
    assert len(points) < 250
    assert points[-1] == "100.00,0.00"
    assert plot.lines[0].marked == 50.0
