"""What Prometheus reads: parsed by its own client library."""

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import Metric as MetricFamily
from prometheus_client.parser import text_string_to_metric_families

from components.contracts import metrics
from components.contracts.metrics import ANSWER_SECONDS, Metric, MetricKind, MetricSource
from components.ranking_service.telemetry import click_through
from components.ranking_service.telemetry.counters import Counter, Histogram
from components.ranking_service.telemetry.measures import Measures
from components.ranking_service.telemetry.request_context import RequestContext


def metric(**changes: Any) -> Metric:
    return replace(Metric(MetricSource.SERVICE, MetricKind.COUNTER, "odd_total", "Odd."), **changes)


def families(measures: Measures) -> dict[str, MetricFamily]:
    found = list(text_string_to_metric_families(measures.page().decode()))
    names = [family.name for family in found]
    assert len(names) == len(set(names)), "each metric once"
    return {family.name: family for family in found}


def values(family: MetricFamily) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels.values()): sample.value for sample in family.samples}


def request_of(total_ms: float = 1.0, fallback: str | None = None, **laps_ms: float) -> RequestContext:
    ended_ns = 1 + int(total_ms * 1e6)
    found = RequestContext("r", "/v1/recommend", "web", 1, ended_ns, 200, arm="champion", fallback=fallback)
    found.stopwatch.laps = [(stage, 0, int(taken * 1e6)) for stage, taken in laps_ms.items()]
    return found


def test_stages_lie_in_buckets_that_tell_milliseconds_apart() -> None:
    measures = Measures()
    for taken in (0.2, 0.25, 3.5, 2000):
        measures.take(request_of(scoring=taken))
    found = families(measures)["rankloop_stage_duration_seconds"]
    scoring = [sample for sample in found.samples if sample.labels["stage"] == "scoring"]
    buckets = {sample.labels["le"]: sample.value for sample in scoring if sample.name.endswith("_bucket")}
    assert list(map(float, buckets)) == [*ANSWER_SECONDS, float("inf")]
    assert (buckets["0.00025"], buckets["0.003"], buckets["0.004"], buckets["1.0"], buckets["+Inf"]) == (2, 2, 3, 3, 4)
    last = {sample.name: sample.value for sample in scoring}
    assert last["rankloop_stage_duration_seconds_count"] == 4
    assert last["rankloop_stage_duration_seconds_sum"] == pytest.approx(2.00395)


def test_a_stage_that_comes_twice_counts_as_one() -> None:
    measures, seen = Measures(), request_of(3.0, features=1.0)
    seen.stopwatch.laps *= 2
    measures.take(seen)
    samples = families(measures)["rankloop_stage_duration_seconds"].samples
    assert {(s.labels["stage"], s.value) for s in samples if s.name.endswith("_sum")} == {
        ("features", 0.002),
        ("total", 0.003),
    }


def test_fallbacks_are_counted_and_previews_are_not() -> None:
    measures = Measures()
    measures.take(request_of(fallback="unknown_user"))
    preview = request_of(fallback="unknown_user")
    preview.is_counted = False
    measures.take(preview)
    samples = families(measures)
    assert values(samples["rankloop_fallbacks"]) == {("champion", "unknown_user"): 1}
    assert values(samples["rankloop_requests"]) == {("/v1/recommend", "200"): 2}


def test_empty_lists_and_the_place_of_best_scores_are_counted() -> None:
    measures = Measures()
    for best_score in (0.9, 1.0, None):
        seen = request_of()
        seen.best_score, seen.is_empty = best_score, best_score is None
        measures.take(seen)
    samples = families(measures)
    places = {s.labels["le"]: s.value for s in samples["rankloop_best_score_share"].samples if "le" in s.labels}
    assert (places["0.75"], places["0.9"], places["0.999"], places["1.0"]) == (0, 1, 1, 2)
    assert values(samples["rankloop_empty_lists"]) == {("champion",): 1}


def test_a_bundle_that_answers_no_more_leaves_the_page() -> None:
    measures, now = Measures(), {"champion": "sha256:1", "challenger": "sha256:2"}
    measures.readers.show(metrics.BUNDLE_INFO, lambda: dict.fromkeys(now.items(), 1))
    info = "rankloop_bundle_info"
    assert values(families(measures)[info]) == {("champion", "sha256:1"): 1, ("challenger", "sha256:2"): 1}
    now = {"champion": "sha256:2"}
    assert values(families(measures)[info]) == {("champion", "sha256:2"): 1}


def test_other_parts_show_their_numbers_and_one_that_fails_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    measures = Measures()
    measures.readers.show(metrics.ITEM_ROWS_AGE, lambda: 12.5)
    measures.readers.show(metrics.FEEDBACK_SYNC_AGE, lambda: None)
    measures.readers.show(metrics.SESSIONS, lambda: 1 / 0)
    measures.readers.show(metrics.SESSIONS_DROPPED, lambda: 7)
    measures.readers.show(metrics.STORE_BREAKER, lambda: {("open",): 1.0, ("closed",): 0.0})
    samples = families(measures)
    assert values(samples["rankloop_item_rows_age_seconds"]) == {(): 12.5}
    assert values(samples["rankloop_feedback_sync_age_seconds"]) == {}
    assert values(samples["rankloop_sessions_dropped"]) == {(): 7}
    assert values(samples["rankloop_store_breaker"]) == {("open",): 1, ("closed",): 0}
    assert "rankloop_sessions" not in samples
    assert "rankloop_sessions cannot be read" in caplog.text


def test_the_process_shows_its_memory_and_its_garbage() -> None:
    samples = families(Measures())
    assert {"process_resident_memory_bytes", "python_info", "python_gc_collections"} <= set(samples)


def test_a_list_counts_once_as_clicked_with_its_best_position() -> None:
    measures = Measures()
    clicks = measures.clicks
    clicks.show("r1", "champion", ["a", "b", "c", "d"])
    clicks.show("r2", "champion", ["a"])
    clicks.show("r3", "baseline", ["a", "b"])
    clicks.tell("click", "r1", "d")
    clicks.tell("click", "r1", "b")
    clicks.tell("purchase", "r1", "c")
    clicks.tell("purchase", "r3", "b")
    for nothing in (("view", "r2", "a"), ("click", "r2", "z"), ("click", "r9", "a"), ("click", None, "a")):
        clicks.tell(*nothing)
    samples = families(measures)
    assert values(samples["rankloop_lists_shown"]) == {("champion",): 2, ("baseline",): 1}
    assert values(samples["rankloop_lists_clicked"]) == {("champion",): 1, ("baseline",): 1}
    assert values(samples["rankloop_reciprocal_rank"]) == {("champion",): 0.5, ("baseline",): 0.5}


def test_only_the_last_lists_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click_through, "MAX_LISTS", 2)
    clicks = Measures().clicks
    for number in range(5):
        clicks.show(f"r{number}", "champion", ["a"])
    clicks.tell("click", "r0", "a")
    assert clicks.clicked["champion",] == 0
    clicks.tell("click", "r4", "a")
    assert (clicks.shown["champion",], clicks.clicked["champion",]) == (5, 1)


def test_labels_are_escaped() -> None:
    counters = Counter(metric(labels=("label",)))
    counters.add('a"\n\\')
    assert [sample.labels for sample in counters.collect().samples] == [{"label": 'a"\n\\'}]


def test_a_bound_belongs_to_its_bucket() -> None:
    histograms = Histogram(metric(buckets=(1.0, 2.0)))
    histograms.observe(1.0)
    histograms.observe(2.1)
    counts = {sample.labels.get("le"): sample.value for sample in histograms.collect().samples}
    assert (counts["1.0"], counts["2.0"], counts["+Inf"]) == (1, 1, 2)
