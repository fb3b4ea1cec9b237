"""What the service tells Prometheus about itself: GET /metrics.

BentoML's own metrics are off: they count in buckets from 5 ms up, and keep a series for ever for each path that anybody
ever asked for.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client import Metric as MetricFamily
from prometheus_client.registry import Collector

from components.contracts.metrics import (
    BEST_SCORE,
    EMPTY_LISTS,
    FALLBACKS,
    REQUEST_DURATION,
    REQUESTS,
    STAGE_DURATION,
)
from components.ranking_service.telemetry.click_through import ClickThrough
from components.ranking_service.telemetry.counters import Counter, Histogram, Readers
from components.ranking_service.telemetry.request_context import RequestContext

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TOTAL = "total"  # the stage that is a whole answer


class Measures(Collector):
    """Every number of the service; the loop's thread counts, any thread reads."""

    def __init__(self) -> None:
        self.readers = Readers()
        """Where other parts of the service show their numbers."""
        self.clicks = ClickThrough()
        self._requests, self._fallbacks, self._empty = Counter(REQUESTS), Counter(FALLBACKS), Counter(EMPTY_LISTS)
        self._request_duration, self._stage_duration = Histogram(REQUEST_DURATION), Histogram(STAGE_DURATION)
        self._best_score = Histogram(BEST_SCORE)
        self._registry = CollectorRegistry()
        self._registry.register(self)
        for process in (PlatformCollector, GCCollector, ProcessCollector):
            process(registry=self._registry)

    def take(self, context: RequestContext) -> None:
        """Count a request that was answered."""
        seconds = context.seconds
        self._requests.add(context.route, str(int(context.status)))
        self._request_duration.observe(seconds, context.route)
        if context.arm is None or not context.is_counted:
            return
        for stage, taken in context.stopwatch.seconds().items():
            self._stage_duration.observe(taken, stage, context.arm)
        self._stage_duration.observe(seconds, TOTAL, context.arm)
        if context.fallback is not None:
            self._fallbacks.add(context.fallback, context.arm)
        if context.is_empty:
            self._empty.add(context.arm)
        if context.best_score is not None:
            self._best_score.observe(context.best_score, context.arm)

    def page(self) -> bytes:
        """Return the page that Prometheus reads."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[MetricFamily]:
        """Return everything of ours."""
        answers = (self._requests, self._request_duration, self._stage_duration)
        lists = (self._fallbacks, self._empty, self._best_score, *self.clicks.counters)
        yield from (each.collect() for each in (*answers, *lists))
        yield from self.readers.collect()
