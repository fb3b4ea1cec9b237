"""Counters and histograms of one process for Prometheus: plain numbers, read when somebody asks.

Not ``prometheus_client``'s own: counting is on the way of every answer, where theirs takes 4 to 11 times as long (a
lock and a look-up of the labels each time), and BentoML starts its workers in that library's multiprocess mode, in
which every number lies in a mapped file. The service is one process: its numbers begin at zero with it, as Prometheus
expects of counters, and what is gone (a bundle, an arm) leaves the page. The library still writes the page.
"""

import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import Metric as MetricFamily
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from components.contracts.metrics import Metric, MetricKind

Labels = tuple[str, ...]
Readings = Mapping[Labels, float] | float | None
"""The values of a metric by those of its labels; of one without labels a number, or None while there is none."""
log = logging.getLogger("bentoml.rankloop.counters")


class Counter:
    """Counts by the values of a few labels."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._counts: dict[Labels, float] = {}

    def add(self, *values: str, by: float = 1.0) -> None:
        """Count."""
        self._counts[values] = self._counts.get(values, 0.0) + by

    def __getitem__(self, values: Labels) -> float:
        return self._counts.get(values, 0.0)

    def collect(self) -> MetricFamily:
        """Return what Prometheus reads."""
        return _family(self._metric, dict(self._counts))


class Histogram:
    """Distributions by the values of a few labels, in the metric's buckets."""

    def __init__(self, metric: Metric) -> None:
        self._metric, self._bounds = metric, metric.buckets
        self._names = [*map(floatToGoString, metric.buckets), "+Inf"]
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

    def collect(self) -> MetricFamily:
        """Return what Prometheus reads."""
        family = HistogramMetricFamily(self._metric.name, self._metric.help, labels=self._metric.labels)
        for values, counts in list(self._counts.items()):
            total, buckets = 0, []
            for name, count in zip(self._names, list(counts), strict=True):
                total += count
                buckets.append((name, float(total)))
            family.add_metric(values, buckets, self._sums[values])
        return family


class Readers:
    """Numbers that another part of the service holds: read when the page is, left out if that part fails."""

    def __init__(self) -> None:
        self._reads: dict[Metric, Callable[[], Readings]] = {}

    def show(self, metric: Metric, read: Callable[[], Readings]) -> None:
        """Show what a function returns as the values of a metric."""
        self._reads[metric] = read

    def collect(self) -> Iterable[MetricFamily]:
        """Return what Prometheus reads."""
        for metric, read in self._reads.items():
            try:
                readings = read()
            except Exception:
                log.exception("%s cannot be read", metric.name)
                continue
            if not isinstance(readings, Mapping):
                readings = {} if readings is None else {(): readings}
            yield _family(metric, readings)


def _family(metric: Metric, readings: Mapping[Labels, float]) -> MetricFamily:
    kind = CounterMetricFamily if metric.kind is MetricKind.COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for values, value in readings.items():
        family.add_metric(values, float(value))
    return family
