"""The geometry of the report's plots: positions of marks, in percent of a plot's width and height.

Templates draw them as SVG with percentages, so that a plot fits any screen while its words keep their size.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from components.contracts.verdict import Score

Named = tuple[str, str, Score]  # label, role, score


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A linear scale from ``low`` to ``high`` with round ticks."""

    low: float
    high: float
    ticks: tuple[Tick, ...]

    def at(self, value: float) -> float:
        """Return the place of a value, in percent, kept within the axis."""
        return round(min(100.0, max(0.0, 100 * (value - self.low) / (self.high - self.low))), 3)


@dataclass(frozen=True)
class Dot:
    """A mean with its interval on an axis; ``role`` is challenger, champion, best or baseline."""

    label: str
    role: str
    score: Score
    at: float
    low: float
    high: float


@dataclass(frozen=True)
class DotPlot:
    """Means with intervals, one a row, on a shared axis; ``zero`` is the place of zero if it lies within."""

    axis: Axis
    dots: tuple[Dot, ...]

    @property
    def zero(self) -> float | None:
        """Return the place of zero, if it lies within the axis."""
        return self.axis.at(0.0) if self.axis.low < 0 < self.axis.high else None


@dataclass(frozen=True)
class Bar:
    """A bar: ``at`` and ``size`` along the axis, ``height`` of the highest, ``label`` read out for it."""

    at: float
    size: float
    height: float
    label: str


@dataclass(frozen=True)
class Columns:
    """Upright bars with a vertical axis and the labels of the first and last."""

    axis: Axis
    bars: tuple[Bar, ...]
    first: str
    last: str


@dataclass(frozen=True)
class Line:
    """A line through points, as SVG's ``points`` in percent of width and height; ``marked`` is a place along x."""

    name: str
    points: str
    marked: float | None


@dataclass(frozen=True)
class LinePlot:
    """Lines on shared axes."""

    x: Axis
    y: Axis
    lines: tuple[Line, ...]


def axis(low: float, high: float, label: Callable[[float], str], ticks: int = 5, round_out: bool = True) -> Axis:
    """Return an axis that covers ``low`` to ``high`` with about ``ticks`` round ticks."""
    low, high = min(low, high), max(low, high)
    if low == high:
        low, high = (low - 0.5, high + 0.5) if low else (0.0, 1.0)
    step = _round_step((high - low) / max(1, ticks - 1))
    if round_out:
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [index * step for index in range(first, last + 1)]
    blank = Axis(low, high, ())
    return Axis(low, high, tuple(Tick(blank.at(value), label(value)) for value in values))


def dot_plot(scores: Sequence[Named], label: Callable[[float], str], scale: Axis | None = None) -> DotPlot | None:
    """Return rows of (label, role, score) on an axis, by default the one that holds all their intervals."""
    scores = [(name, role, _drawable(score)) for name, role, score in scores if math.isfinite(score.mean)]
    if not scores:
        return None
    scale = scale or interval_axis((score for _, _, score in scores), label)
    dots = (
        Dot(name, role, score, scale.at(score.mean), scale.at(score.low), scale.at(score.high))
        for name, role, score in scores
    )
    return DotPlot(scale, tuple(dots))


def interval_axis(scores: Iterable[Score], label: Callable[[float], str], include_zero: bool = False) -> Axis:
    """Return an axis that holds all intervals with a little room beside them, and zero if asked."""
    scores = [_drawable(score) for score in scores if math.isfinite(score.mean)]
    zero = [0.0] if include_zero else []
    low, high = min([each.low for each in scores] + zero), max([each.high for each in scores] + zero)
    margin = 0.05 * (high - low or abs(high) or 1)
    return axis(max(0.0, low - margin) if low >= 0 else low - margin, high + margin, label, round_out=False)


def _drawable(score: Score) -> Score:
    """Return the score with its mean in place of a bound that is not known."""
    low, high = (each if math.isfinite(each) else score.mean for each in (score.low, score.high))
    return Score(score.mean, low, high)


def columns(
    values: Sequence[float], labels: Sequence[str], label: Callable[[float], str], gap: float = 0.15
) -> Columns | None:
    """Return one upright bar a value, from zero."""
    if not values or max(values) <= 0:
        return None
    scale = axis(0.0, max(values), label, ticks=4)
    width = 100 / len(values)
    bars = (
        Bar(round(width * (index + gap / 2), 3), round(width * (1 - gap), 3), scale.at(value), text)
        for index, (value, text) in enumerate(zip(values, labels, strict=True))
    )
    return Columns(scale, tuple(bars), labels[0], labels[-1])


def line_plot(
    lines: Sequence[tuple[str, Sequence[float]]], label: Callable[[float], str], marked: Mapping[str, int]
) -> LinePlot | None:
    """Return one line a named series over 1, 2, 3, …; ``marked`` is a place on that axis by name."""
    drawn = [(name, values) for name, values in lines if len(values) > 1]
    if not drawn:
        return None
    every = [value for _, values in drawn for value in values]
    longest = max(len(values) for _, values in drawn)
    x = axis(1.0, float(longest), lambda value: f"{value:.0f}", round_out=False)
    y = axis(min(every), max(every), label, ticks=4)
    return LinePlot(x, y, tuple(_line(name, values, x, y, marked.get(name)) for name, values in drawn))


def _line(name: str, values: Sequence[float], x: Axis, y: Axis, marked: int | None) -> Line:
    return Line(name, _points(_thinned(values), x, y), None if marked is None else x.at(float(marked)))


def _points(values: Sequence[tuple[int, float]], x: Axis, y: Axis) -> str:
    return " ".join(f"{x.at(place):.2f},{100 - y.at(value):.2f}" for place, value in values)


def _thinned(values: Sequence[float], limit: int = 200) -> list[tuple[int, float]]:
    """Return at most about ``most`` of the points (place from 1, value), the last one among them."""
    stride = max(1, math.ceil(len(values) / limit))
    places = sorted({*range(0, len(values), stride), len(values) - 1})
    return [(place + 1, values[place]) for place in places]


def _round_step(size: float) -> float:
    """Return 1, 2 or 5 times a power of ten, not below ``size``."""
    power = 10.0 ** math.floor(math.log10(size))
    return next(power * multiple for multiple in (1, 2, 5, 10) if power * multiple >= size * (1 - 1e-9))
