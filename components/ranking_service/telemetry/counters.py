"""Metrics of one process for Prometheus: plain numbers, read when somebody asks.

BentoML starts its workers in prometheus_client's multiprocess mode, where every number lies in a mapped file of its
process. The service is one process: its numbers begin at zero with it, as Prometheus expects of counters, and what is
gone (a bundle, an arm) leaves the page.
"""

import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

Labels = tuple[str, ...]
log = logging.getLogger("bentoml.rankloop.counters")
Readings = Mapping[Labels, float]


class Counters:
    """Counts by the values of a few labels; whoever counts sees to it that these are few."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = ()) -> None:
        self._name, self._documentation, self._labels = name, documentation, labels
        self._counts: dict[Labels, float] = {}

    def add(self, *values: str, by: float = 1.0) -> None:
        """Count."""
        self._counts[values] = self._counts.get(values, 0.0) + by

    def __getitem__(self, values: Labels) -> float:
        return self._counts.get(values, 0.0)

    def collect(self) -> Metric:
        """Return what Prometheus reads."""
        found = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, count in list(self._counts.items()):
            found.add_metric(values, count)
        return found


class Histograms:
    """Distributions by the values of a few labels, in buckets up to given bounds."""

    def __init__(self, name: str, documentation: str, bounds: Sequence[float], labels: Sequence[str] = ()) -> None:
        self._name, self._documentation, self._labels = name, documentation, labels
        self._bounds = sorted(bounds)
        self._names = [*map(floatToGoString, self._bounds), "+Inf"]
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, value: float, *values: str) -> None:
        """Take one value."""
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = [0] * len(self._names)
            self._sums[values] = 0.0
        counts[bisect_left(self._bounds, value)] += 1
        self._sums[values] += value

    def collect(self) -> Metric:
        """Return what Prometheus reads."""
        found = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, counts in list(self._counts.items()):
            total, buckets = 0, []
            for name, count in zip(self._names, list(counts), strict=True):
                total += count
                buckets.append((name, float(total)))
            found.add_metric(values, buckets, self._sums[values])
        return found


class Readers:
    """Numbers that another part of the service holds: asked for when the page is read, left out if that part fails."""

    def __init__(self) -> None:
        self._reads: list[
            tuple[type[CounterMetricFamily | GaugeMetricFamily], str, str, Sequence[str], Callable[[], Readings]]
        ] = []

    def gauge(self, name: str, documentation: str, read: Callable[[], float | None]) -> None:
        """Show a number; None: there is none now."""
        self.gauges(name, documentation, (), lambda: _alone(read()))

    def gauges(self, name: str, documentation: str, labels: Sequence[str], read: Callable[[], Readings]) -> None:
        """Show the numbers of some labels' values."""
        self._reads.append((GaugeMetricFamily, name, documentation, labels, read))

    def counter(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Show a count that only grows."""
        self._reads.append((CounterMetricFamily, name, documentation, (), lambda: _alone(read())))

    def collect(self) -> Iterable[Metric]:
        """Return what Prometheus reads."""
        for family, name, documentation, labels, read in self._reads:
            found = family(name, documentation, labels=labels)
            try:
                readings = read()
            except Exception:
                log.exception("%s cannot be read", name)
                continue
            for values, value in readings.items():
                found.add_metric(values, value)
            yield found


def _alone(value: float | None) -> Readings:
    return {} if value is None else {(): value}
