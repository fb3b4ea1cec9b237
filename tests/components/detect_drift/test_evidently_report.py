"""The Evidently page of a sample."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from components.contracts.errors import FeatureError
from components.detect_drift.detection import detect_drift
from components.detect_drift.evidently_report import columns_to_show, evidently_html
from components.drift.kinds import ColumnKind, column_kinds
from components.drift.sketches import Sketches, sketch_table

NUMERIC, CATEGORICAL = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL


def frame(shift: float, rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(int(shift * 10))
    return pd.DataFrame(
        {
            "user_id": [f"secret-{n}" for n in range(rows)],
            "spend": rng.normal(shift, 1, rows).astype(np.float32),
            "visits": pd.array(rng.poisson(3, rows), dtype="Int64"),
            "brand": pd.Categorical(rng.choice(["alpha", "beta"], rows)),
            "flag": rng.random(rows) < 0.5,
            "empty": np.full(rows, np.nan),
        }
    )


KINDS = {
    "spend": NUMERIC,
    "visits": NUMERIC,
    "brand": CATEGORICAL,
    "flag": CATEGORICAL,
    "empty": NUMERIC,
    "gone": NUMERIC,
    "user_id": CATEGORICAL,
}


@pytest.fixture(scope="module")
def page() -> str:
    return evidently_html(frame(0), frame(1), KINDS)


def test_the_page_shows_the_columns_with_values_and_no_identifier(page: str) -> None:
    for name in ("spend", "visits", "brand", "flag"):
        assert f'"{name}"' in page
    assert "secret-" not in page
    assert '"gone"' not in page


def test_one_drifted_column_is_drift_on_the_page_too(page: str) -> None:
    assert "Dataset Drift is detected" in page
    assert "Dataset Drift is NOT detected" in evidently_html(frame(0), frame(0), KINDS)


def test_the_page_needs_no_network(page: str) -> None:
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page) == []
    assert re.findall(r"url\(\s*[\"']?https?://", page) == []


def test_large_frames_are_sampled() -> None:
    page = evidently_html(frame(0, 6000), frame(1, 6000), {"spend": NUMERIC})
    assert len(page) < 6_000_000


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(FeatureError, match="nothing to show: none of gone, empty"):
        evidently_html(frame(0), frame(1), {"gone": NUMERIC, "empty": NUMERIC})


def test_the_worst_columns_are_shown_first() -> None:
    rng = np.random.default_rng(0)
    rows = pa.table({f"f{n:02}": rng.normal(size=500) for n in range(20)})
    moved = rows.set_column(7, "f07", pa.array(rng.normal(2, 1, 500)))
    reference = Sketches({"features": sketch_table(rows.to_batches(), column_kinds(rows.schema))})
    report = detect_drift(reference, {"features": moved})
    shown = columns_to_show(report, "features", 15)
    assert len(shown) == 15
    assert next(iter(shown)) == "f07"
    with pytest.raises(FeatureError, match="no table data"):
        columns_to_show(report, "data", 15)


def test_evidently_is_imported_only_when_a_page_is_made() -> None:
    code = "import sys, components.detect_drift.evidently_report; sys.exit('evidently' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
