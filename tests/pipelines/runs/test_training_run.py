"""The real pipelines under kfp.local on a made-up shop, from the command line as a user has it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from components.contracts.steps.declared import steps_of
from components.home.layout import Home
from components.home.runs.lock import lock_holder
from components.home.runs.records import list_runs
from tests.pipelines.homes.tiny_shop import LivingHome, command, make_tiny_shop, rankloop, the_one_line
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=50)


@pytest.fixture(scope="module")
def tiny(ranker_home: LivingHome) -> LivingHome:
    return ranker_home


def test_a_run_ends_with_its_document(tiny: LivingHome) -> None:
    found = tiny.document
    assert list(found) == ["run_id", "shop", "as_of", "steps", "metrics", "verdict", "bundle", "warnings", "reports"]
    assert {step["name"] for step in found["steps"]} == set(steps_of("training"))
    assert all(list(step) == ["name", "seconds", "rows_in", "rows_out"] for step in found["steps"])
    assert set(found["metrics"]) == {"challenger", "champion", "baselines"}
    scores = [found["metrics"]["challenger"], *found["metrics"]["baselines"].values()]
    assert all(score["ci95"][0] <= score["ndcg_at_10"] <= score["ci95"][1] for score in scores)
    assert len({score["ndcg_at_10"] for score in scores}) > 3  # kinds of one rule may come to the same
    assert set(found["verdict"]) == {"promote", "reasons"}
    assert found["verdict"]["promote"] is False
    assert Path(found["bundle"]["uri"]).is_dir()
    assert found["bundle"]["digest"]
    report = Path(found["reports"]["report"].removeprefix("file://")).read_text()
    assert "</html>" in report
    assert "Logged requests" in report


def test_every_step_left_a_record_and_the_handles_name_versions(tiny: LivingHome) -> None:
    records = tiny.records()
    assert {record.state for record in records.values()} == {"done"}
    kinds = {kind for record in records.values() for kind in record.handles}
    assert kinds == {
        "raw", "clean", "features", "online", "examples", "bundle", "evaluation", "promotion", "drift"
    }  # fmt: skip
    clean = records["validate_events"].handles["clean"]
    assert {"events", "items", "users"} <= set(clean.versions)


def test_a_second_run_with_nothing_new_says_so_and_ends_alike(tiny: LivingHome) -> None:
    ended = tiny.rankloop("run", "--shop", tiny.shop_file, "--json")
    assert ended.returncode == 0, ended.stderr
    assert "Nothing is new" in ended.stderr
    assert json.loads(ended.stdout) == tiny.document
    assert [run.pipeline for run in list_runs(tiny.home)].count("training") == 1


def test_batch_recommendations_have_a_row_a_rank(tiny: LivingHome, tmp_path: Path) -> None:
    out = tmp_path / "lists.parquet"
    ended = tiny.rankloop("recommend", "--all-users", "--bundle", "challenger", "--k", "5", "--out", out)
    assert ended.returncode == 0, ended.stderr
    table = pq.read_table(out)
    assert table.column_names == ["user_id", "rank", "item_id", "score"]
    assert set(table["rank"].to_pylist()) == {1, 2, 3, 4, 5}
    unknown_user = tiny.rankloop("recommend", "--user", "nobody", "--bundle", "challenger", "--json")
    assert [row["user_id"] for row in json.loads(unknown_user.stdout)] == ["nobody"] * 10


def test_a_refused_bundle_goes_live_neither_by_the_run_nor_by_hand(tiny: LivingHome) -> None:
    digest = tiny.document["bundle"]["digest"]
    why = "candidates takes"
    assert why in " ".join(tiny.document["verdict"]["reasons"])
    for name in (digest, digest.removeprefix("sha256:")[:12], "latest"):
        line = the_one_line(tiny.rankloop("promote", name, "--env", "staging"), code=1)
        assert "the gate refused it" in line
        assert why in line
    assert "local: nothing was promoted yet" in the_one_line(tiny.rankloop("recommend", "--all-users"), code=1)
    assert "staging: found nothing promoted" in the_one_line(tiny.rankloop("rollback", "--env", "staging"), code=1)


# Tests that were started in the background may ignore Ctrl-C, and a child inherits that.
HEEDING_INTERRUPTS = [
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])",
]


def test_an_interrupted_run_ends_cleanly(tiny: LivingHome, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    run = command("run", "--shop", tiny.shop_file, "--home", home.root)
    with subprocess.Popen([*HEEDING_INTERRUPTS, *run], stderr=subprocess.PIPE, text=True) as running:
        until(lambda: any(home.runs.glob("*/steps/*.json")))
        running.send_signal(signal.SIGINT)
        _, said = running.communicate()
    assert running.returncode == 130
    assert said.splitlines()[-1].startswith("rankloop: interrupted")
    assert "Traceback" not in said
    assert [run.state for run in list_runs(home)] == ["interrupted"]
    assert lock_holder(home) is None


def test_a_failing_step_is_one_line_and_a_report(tmp_path: Path) -> None:
    shop_file, home = make_tiny_shop(tmp_path / "shop"), tmp_path / "home"
    orders = tmp_path / "shop" / "orders.csv"
    orders.write_text("\n".join(line.partition(",")[2] for line in orders.read_text().splitlines()))
    ended = rankloop("run", "--shop", shop_file, "--home", home, "--json")
    assert ended.returncode == 1
    assert ended.stderr.startswith("rankloop: ingest_events: ")
    assert "Traceback" not in ended.stderr
    document = json.loads(ended.stdout)
    assert document["error"].startswith("ingest_events: ")
    report = Path(document["reports"]["report"].removeprefix("file://")).read_text()
    assert "The run stopped at" in report
