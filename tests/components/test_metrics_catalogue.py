"""Code, catalogue and documents name the same metrics."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from prometheus_client.parser import text_string_to_metric_families

from components.contracts.metrics import CATALOGUE, UNITS, Metric, MetricKind, MetricSource
from components.detect_drift.detection import detect_drift
from components.detect_drift.metrics import drift_metrics
from components.drift.kinds import column_kinds
from components.drift.quality import JudgedQuality, KnownOutcomes
from components.drift.sketches import Sketches, sketch_table
from components.ranking_service.live.readings import READINGS
from components.ranking_service.reference import METRICS, metrics_tables
from components.ranking_service.telemetry.measures import Measures

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
METRIC = re.compile(r"\brankloop_[a-z_]*[a-z]\b")
OF_HISTOGRAMS = re.compile(r"_(bucket|sum|count)$")


def names(source: MetricSource) -> set[str]:
    return {metric.name for metric in CATALOGUE.values() if metric.source is source}


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: metric.name)
def test_a_name_follows_the_conventions_of_prometheus(metric: Metric) -> None:
    assert re.fullmatch(r"rankloop_[a-z]+(_[a-z]+)*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
    assert (metric.kind is MetricKind.HISTOGRAM) == bool(metric.buckets)
    assert not re.search(r"milli|micro|minutes|hours|kilo|mega", metric.name), f"units are {UNITS}"
    assert metric.help.endswith(".")
    assert all(re.fullmatch(r"[a-z]+", label) for label in metric.labels)


def test_the_service_shows_the_metrics_of_the_catalogue_and_no_others() -> None:
    measures = Measures()
    for metric in READINGS:
        measures.readers.show(metric, lambda: None)
    families = {family.name: family.type for family in text_string_to_metric_families(measures.page().decode())}
    shown = {name: kind for name, kind in families.items() if name.startswith("rankloop")}
    expected = {name.removesuffix("_total"): CATALOGUE[name].kind for name in names(MetricSource.SERVICE)}
    assert shown == expected


def test_a_monitoring_run_leaves_the_metrics_of_the_catalogue_and_no_others() -> None:
    rows = pa.table({"spend": np.arange(500.0)})
    reference = Sketches({"features": sketch_table(rows.to_batches(), column_kinds(rows.schema))})
    outcomes = KnownOutcomes(JudgedQuality(0.3, 0.29, 0.31, confidence=0.95, k=5), np.full(500, 0.3), np.arange(500))
    samples = drift_metrics(detect_drift(reference, {"features": rows}, outcomes=outcomes))
    assert set(samples) == names(MetricSource.DRIFT)
    for name, found in samples.items():
        assert all(tuple(sample) == (*CATALOGUE[name].labels, "value") for sample in found)


def test_the_reference_of_metrics_is_the_catalogue() -> None:
    assert metrics_tables() in METRICS.read_text(), "run `python -m components.ranking_service.reference`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_documents_name_no_other_metric(page: Path) -> None:
    named = {OF_HISTOGRAMS.sub("", name) for name in METRIC.findall(page.read_text())}
    assert named <= set(CATALOGUE)
