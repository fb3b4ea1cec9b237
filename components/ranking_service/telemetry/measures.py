"""What the service tells Prometheus about itself: GET /metrics.

Times are in milliseconds, in buckets that tell answers of a few milliseconds apart. No label holds an id, a path as it
was asked, or anything else that callers could make many of. BentoML's own metrics are off: they count in buckets from
5 ms up, and keep a series for ever for each path that anybody ever asked.
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from components.ranking_service.telemetry.click_through import ClickThrough
from components.ranking_service.telemetry.counters import Counters, Histograms, Readers
from components.ranking_service.telemetry.visits import Visit

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS_MS = (0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 75, 100, 150, 250, 500, 1000)


class Measures(Collector):
    """Every number of the service; the loop's thread counts, whoever asks reads."""

    def __init__(self) -> None:
        self.readers = Readers()
        """Where other parts of the service show their numbers."""
        self.clicks = ClickThrough()
        self.bundles: Callable[[], Mapping[str, str]] = dict
        """Says the digest that each arm answers from now."""
        self._stages = Histograms(
            "rankloop_stage_milliseconds", "Time of an answer's stages.", BOUNDS_MS, ["stage", "arm"]
        )
        self._requests_ms = Histograms(
            "rankloop_request_milliseconds",
            "Time of a request in the service, body and waiting included.",
            BOUNDS_MS,
            ["route"],
        )
        self._requests = Counters("rankloop_requests", "Requests by route and status.", ["route", "status"])
        self._fallbacks = Counters("rankloop_fallbacks", "Answers that rest on a fallback.", ["fallback", "arm"])
        self._registry = CollectorRegistry()
        self._registry.register(self)
        for process in (PlatformCollector, GCCollector, ProcessCollector):
            process(registry=self._registry)

    def take(self, visit: Visit) -> None:
        """Count a request that was answered."""
        self._requests.add(visit.route, str(int(visit.status)))
        self._requests_ms.observe(visit.milliseconds, visit.route)
        if visit.arm is None or not visit.is_counted:
            return
        for stage, taken in visit.stopwatch.milliseconds().items():
            self._stages.observe(taken, stage, visit.arm)
        self._stages.observe(visit.milliseconds, "total", visit.arm)
        if visit.fallback is not None:
            self._fallbacks.add(visit.fallback, visit.arm)

    def page(self) -> bytes:
        """Return the page that Prometheus reads."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Return everything of ours."""
        counted = (self._requests, self._requests_ms, self._stages, self._fallbacks)
        lists = (self.clicks.shown, self.clicks.clicked, self.clicks.reciprocal_ranks)
        yield from (one.collect() for one in (*counted, *lists))
        info = GaugeMetricFamily("rankloop_bundle_info", "Bundle that an arm answers from.", labels=["arm", "digest"])
        for arm, digest in self.bundles().items():
            info.add_metric((arm, digest), 1.0)
        yield info
        yield from self.readers.collect()
