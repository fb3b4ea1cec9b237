"""``rankloop drift`` on a made-up shop: what it answers, and what it refuses."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from components.home.runs.records import list_runs
from tests.pipelines.homes.tiny_shop import WITH_PAGE, LivingHome, the_one_line

pytestmark = pytest.mark.slow(seconds=40)


@pytest.fixture(scope="module")
def tiny(ranker_home: LivingHome) -> LivingHome:
    return ranker_home


def test_a_shop_that_goes_on_as_it_was_has_not_drifted(tiny: LivingHome) -> None:
    ended = tiny.rankloop("drift", "--json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert (document["verdict"], document["drifted"]) == ("stable", False)
    assert "report" in document["reports"]
    as_of, start = (datetime.fromisoformat(document[name]) for name in ("as_of", "window_start"))
    assert as_of - start == timedelta(days=7)


def test_departments_under_new_names_are_drift_and_an_alarm(tiny: LivingHome) -> None:
    moved = tiny.shop_file.rename(tiny.shop_file.with_name("moved.toml"))
    assert the_one_line(tiny.rankloop("drift"), 2).endswith("there is no such shop file; name one with --shop")
    moved.write_text(moved.read_text().replace("page_columns = 0", WITH_PAGE))
    items = tiny.shop_file.parent / "items.csv"
    items.write_text(items.read_text().replace("Household", "Home and living"))
    ended = tiny.rankloop("drift", "--shop", moved, "--window", "14", "--json")
    assert ended.returncode == 3, ended.stderr
    document = json.loads(ended.stdout)
    assert (document["verdict"], document["drifted"]) == ("drifted", True)
    (reason,) = [reason for reason in document["reasons"] if reason.startswith("data.category_1: ")]
    assert "a category that the reference does not know" in reason
    assert "'Home and living' " in reason
    assert "Home and living" in Path(document["reports"]["report"].removeprefix("file://")).read_text()
    assert (tiny.home.run(document["run_id"]) / "evidently.html").is_file()
    start, end = (datetime.fromisoformat(document[name]) for name in ("window_start", "as_of"))
    assert end - start == timedelta(days=14)


@pytest.mark.parametrize("days", ["0", "6", "15"])
def test_a_window_that_cannot_be_judged_is_refused_before_anything_runs(tiny: LivingHome, days: str) -> None:
    runs = len(list_runs(tiny.home))
    line = the_one_line(tiny.rankloop("drift", "--window", days), 2)
    assert f"--window): found {days} days, expected 7 (horizon_days" in line
    assert "to 14 (gate.heldout_horizons" in line
    assert len(list_runs(tiny.home)) == runs
