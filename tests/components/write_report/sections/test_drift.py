"""The section on drift, from the real comparison."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from components.drift.comparison import compare
from components.drift.kinds import column_kinds
from components.drift.report import DriftReport
from components.drift.sketches import Sketches, sketch_table
from components.write_report.report import write_report
from components.write_report.sections.drift import DriftSection, drift_section
from tests.components.write_report import sample_run

BEFORE = {"brand": ["Alder"] * 300 + ["Birch"] * 300, "category_1": ["Fresh"] * 600}
NOW = {"brand": ["Alder"] * 600, "category_1": ["Fresh"] * 540 + ["Garden"] * 60}


@pytest.fixture
def report() -> DriftReport:
    def sketched(rows: dict[str, list[str]]) -> Sketches:
        table = pa.table(rows)
        return Sketches({"data": sketch_table(table.to_batches(), column_kinds(table.schema))})

    return compare(sketched(BEFORE), sketched(NOW))


def section(report: DriftReport) -> DriftSection:
    found = drift_section(report, None)
    assert found is not None
    return found


def test_new_and_vanished_categories_stand_beside_their_limits(report: DriftReport) -> None:
    (table,) = section(report).tables
    assert table.categories
    lines = {line.name: line for line in table.shown}
    new, vanished = lines["category_1"].new, lines["brand"].vanished
    assert new is not None
    assert (new.value, new.limit, new.exceeded) == ("0.10", "0.05", True)
    assert vanished is not None
    assert (vanished.value, vanished.exceeded) == ("0.50", True)
    assert lines["brand"].ks is None


def test_tables_of_numbers_have_medians_instead() -> None:
    (table,) = section(sample_run.drift()).tables
    assert not table.categories
    assert table.shown[0].ks is not None


def test_the_page_names_the_categories(report: DriftReport, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(sample_run.RUN))
    page = write_report(tmp_path, sample_run.shop(), sample_run.records(), sample_run.verdict(), drift=report)
    text = page.read_text()
    assert "New, of its limit" in text
    assert "Vanished, of its limit" in text
    assert "10.0% of rows have a category that the reference does not know" in text
    assert "Garden" in text
    assert "Birch" in text
    assert "Median, before" not in text.split('id="drift"')[1].split("</section>")[0]
