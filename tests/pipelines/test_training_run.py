"""The real pipelines under kfp.local on a made-up shop, from the command line as a user has it."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from components.contracts.home import Home
from components.contracts.steps import read_records
from pipelines.home_lock import lock_holder
from pipelines.run_record import list_runs
from pipelines.step_order import TRAINING
from pipelines.synthetic_shop import Size, write_shop

TINY = Size(users=160, items=60, weeks=14)
EASY = """
[training]
snapshots = 3
rounds = 20
min_requests = 50

[gate]
heldout_horizons = 2
min_users = 20
resamples = 200

[drift]
min_users = 20
"""


@dataclass(frozen=True)
class TinyShop:
    """A made-up shop, its home, and what its first run printed."""

    shop_file: Path
    home: Home
    document: dict[str, Any]
    shown: str

    def rankloop(self, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        return rankloop(*words, "--home", self.home.root)


def rankloop(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    executable = Path(sys.executable).with_name("rankloop")
    return subprocess.run([executable, *words], capture_output=True, text=True, check=False)


def make_shop(folder: Path) -> Path:
    shop_file = write_shop(folder, TINY)
    text = re.sub(r"\n\[(training|gate|drift)\]\n[^\[]*", "\n", shop_file.read_text())
    shop_file.write_text(text + EASY)
    return shop_file


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyShop:
    folder = tmp_path_factory.mktemp("tiny")
    shop_file, home = make_shop(folder / "shop"), Home(folder / "home")
    ended = rankloop("run", "--shop", shop_file, "--home", home.root, "--json")
    assert ended.returncode == 0, ended.stderr
    return TinyShop(shop_file, home, json.loads(ended.stdout), ended.stderr)


def test_a_run_ends_with_its_document(tiny: TinyShop) -> None:
    found = tiny.document
    assert list(found) == ["run_id", "shop", "as_of", "steps", "metrics", "verdict", "bundle", "reports"]
    assert {step["name"] for step in found["steps"]} == set(TRAINING)
    assert all(list(step) == ["name", "seconds", "rows_in", "rows_out"] for step in found["steps"])
    assert set(found["metrics"]) == {"challenger", "champion", "baselines"}
    scores = [found["metrics"]["challenger"], *found["metrics"]["baselines"].values()]
    assert all(score["ci95"][0] <= score["ndcg_at_10"] <= score["ci95"][1] for score in scores)
    assert len({score["ndcg_at_10"] for score in scores}) == len(scores)
    assert set(found["verdict"]) == {"promote", "reasons"}
    assert Path(found["bundle"]["uri"]).is_dir()
    assert found["bundle"]["digest"]
    report = Path(found["reports"]["report"].removeprefix("file://"))
    assert "</html>" in report.read_text()


def test_every_step_left_a_record_and_the_handles_name_versions(tiny: TinyShop) -> None:
    records = read_records(tiny.home.run(tiny.document["run_id"]))
    assert {record.state for record in records.values()} == {"done"}
    kinds = {kind for record in records.values() for kind in record.handles}
    assert kinds == {
        "raw", "clean", "features", "online", "examples", "bundle", "evaluation", "promotion", "drift"
    }  # fmt: skip
    clean = records["validate_events"].handles["clean"]
    assert {"events", "items", "users"} <= set(clean.versions)


def test_a_second_run_with_nothing_new_says_so_and_ends_alike(tiny: TinyShop) -> None:
    ended = tiny.rankloop("run", "--shop", tiny.shop_file, "--json")
    assert ended.returncode == 0, ended.stderr
    assert "Nothing is new" in ended.stderr
    assert json.loads(ended.stdout) == tiny.document
    assert [run.pipeline for run in list_runs(tiny.home)].count("training") == 1


def test_batch_recommendations_have_a_row_a_rank(tiny: TinyShop, tmp_path: Path) -> None:
    out = tmp_path / "lists.parquet"
    ended = tiny.rankloop("recommend", "--all-users", "--bundle", "challenger", "--k", "5", "--out", out)
    assert ended.returncode == 0, ended.stderr
    table = pq.read_table(out)
    assert table.column_names == ["user_id", "rank", "item_id", "score"]
    assert set(table["rank"].to_pylist()) == {1, 2, 3, 4, 5}
    stranger = tiny.rankloop("recommend", "--user", "nobody", "--bundle", "challenger", "--json")
    assert [row["user_id"] for row in json.loads(stranger.stdout)] == ["nobody"] * 10


def test_a_named_bundle_is_promoted_only_with_a_verdict(tiny: TinyShop) -> None:
    ended = tiny.rankloop("promote", tiny.document["bundle"]["digest"], "--env", "staging")
    if tiny.document["verdict"]["promote"]:
        assert ended.returncode == 0, ended.stderr
    else:
        assert ended.returncode == 1
        assert "the gate refused it" in ended.stderr
    back = tiny.rankloop("rollback", "--env", "staging")
    assert back.returncode == 1
    assert back.stderr.startswith("rankloop: staging: found")


def test_drift_is_told_by_the_exit_code(tiny: TinyShop) -> None:
    ended = tiny.rankloop("drift", "--json")
    found = json.loads(ended.stdout)
    assert ended.returncode == (3 if found["drifted"] else 0), ended.stderr
    assert found["verdict"] in ("drifted", "stable", "too_small")
    assert "report" in found["reports"]


# Whoever starts the tests in the background may have them ignore Ctrl-C, and a child inherits that.
HEEDING_INTERRUPTS = [
    sys.executable,
    "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])",
]


def test_an_interrupted_run_ends_cleanly(tiny: TinyShop, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    executable = str(Path(sys.executable).with_name("rankloop"))
    command = [executable, "run", "--shop", str(tiny.shop_file), "--home", str(home.root)]
    with subprocess.Popen([*HEEDING_INTERRUPTS, *command], stderr=subprocess.PIPE, text=True) as running:
        _wait_for(lambda: list(home.runs.glob("*/steps/*.json")))
        running.send_signal(signal.SIGINT)
        _, said = running.communicate()
    assert running.returncode == 130
    assert said.splitlines()[-1].startswith("rankloop: interrupted")
    assert "Traceback" not in said
    assert [run.state for run in list_runs(home)] == ["interrupted"]
    assert lock_holder(home) is None


def _wait_for(condition: Callable[[], object]) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("nothing happened within 30 s")


def test_a_failing_step_is_one_line_and_a_report(tmp_path: Path) -> None:
    shop_file, home = make_shop(tmp_path / "shop"), tmp_path / "home"
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
