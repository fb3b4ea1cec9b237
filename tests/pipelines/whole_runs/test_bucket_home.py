"""A home in a bucket holds what a home in a folder holds, to the bit, also after kills and lost leases.

Every command runs in a process of its own, with an empty cache and an empty working folder: nothing of it is mounted.
The home's credentials reach only its shop's part of the bucket and of the Redis.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from components.home.layout import ONLINE_VARIABLE, Home
from components.home.runs.lease_lock import SECONDS_VARIABLE
from components.home.runs.lock import lock_holder
from components.home.runs.records import list_runs, run_ids
from components.home.runs.step_records import read_records
from components.home.storage.documents import has_document, read_document
from components.home.storage.locations import BucketPath
from pipelines.commands.drift import DRIFTED
from tests.pipelines.homes.home_content import content_of, content_of_folder
from tests.pipelines.homes.tiny_shop import LivingHome, command, the_one_line
from tests.pipelines.homes.traces import where
from tests.pipelines.whole_runs.killing import Kill, run_and_kill, states_of
from tests.servers import redis_server
from tests.shop_rights import redis_url_of, s3_variables
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=140)

LEASE_SECONDS = "10"  # the shortest one


@dataclass
class BucketHome:
    """A home in a bucket with a Redis of its own, and a folder for what its commands leave on this machine."""

    home: Home
    scratch: Path
    commands: int = 0

    def start(self, *words: str | Path) -> "subprocess.Popen[str]":
        """Begin a command in a process group of its own, without anything that an earlier one left on this machine."""
        self.commands += 1
        folder = self.scratch / str(self.commands)
        (folder / "work").mkdir(parents=True)
        return subprocess.Popen(
            command(*words, "--home", str(self.home.root)),
            cwd=folder / "work",
            env=os.environ | {"RANKLOOP_CACHE": str(folder / "cache")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def rankloop(self, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return ended(self.start(*words))

    def answer(self, *words: str | Path) -> Any:
        """Run a command that ends well, and return its JSON document."""
        done = self.rankloop(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def ended(process: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    """Wait for a command."""
    out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture
def bucket_home(bucket: BucketPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketHome]:
    shop = "shop-a"
    with redis_server(tmp_path) as url:
        variables = {SECONDS_VARIABLE: LEASE_SECONDS, ONLINE_VARIABLE: redis_url_of(shop, url)} | s3_variables(shop)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield BucketHome(Home(BucketPath(bucket.bucket, f"{shop}/{bucket.key}")), tmp_path / "machines")


def test_a_bucket_holds_the_same_digests_rows_and_lists_as_a_folder(
    ranker_home: LivingHome, bucket_home: BucketHome, tmp_path: Path
) -> None:
    home = bucket_home.home
    both = [bucket_home.start("run", "--shop", ranker_home.shop_file, "--json") for _ in range(2)]
    won, lost = sorted(map(ended, both), key=lambda run: run.returncode)
    assert won.returncode == 0, won.stderr
    assert "at work in it" in the_one_line(lost, 1)
    document = json.loads(won.stdout)
    assert document["bundle"]["digest"] == ranker_home.document["bundle"]["digest"]
    assert document["metrics"] == ranker_home.document["metrics"]
    assert content_of(home) == content_of_folder(ranker_home.home)

    lists = [tmp_path / "folder.parquet", tmp_path / "bucket.parquet"]
    wanted = ("recommend", "--all-users", "--bundle", "challenger", "--out")
    assert ranker_home.rankloop(*wanted, lists[0]).returncode == 0
    assert bucket_home.rankloop(*wanted, lists[1]).returncode == 0
    assert pq.read_table(lists[0]).equals(pq.read_table(lists[1]))

    again = bucket_home.rankloop("run", "--shop", ranker_home.shop_file)
    assert f"Nothing is new since run {document['run_id']}" in again.stderr
    assert [run["state"] for run in bucket_home.answer("runs")] == ["done"]
    log = read_document(home.run(document["run_id"]) / "log.txt")
    assert log
    assert b"ingest" in log
    assert bucket_home.answer("runs", "last")["log"] == f"{home.run(document['run_id'])}/log.txt"
    assert read_document(home.run(document["run_id"]) / "report.html")

    assert bucket_home.rankloop("drift").returncode in (0, DRIFTED)
    assert [run["pipeline"] for run in bucket_home.answer("runs")] == ["monitoring", "training"]
    assert all(finding["well"] for finding in bucket_home.answer("doctor") if finding["needed"])

    user = read_records(home.run(document["run_id"]))["publish_bundle"].facts["examples"][0]["user_id"]
    assert len(where(home, user)) > 20
    assert bucket_home.answer("forget", user, "--yes")["state"] == "done"
    assert where(home, user) == []
    assert bucket_home.answer("recommend", "--user", user, "--bundle", "challenger")  # as to an unknown user


def test_runs_that_were_killed_or_stopped_leave_what_an_undisturbed_run_leaves(
    ranker_home: LivingHome, bucket_home: BucketHome
) -> None:
    home = bucket_home.home
    run = ("run", "--shop", ranker_home.shop_file)
    for kill in (Kill("ingest_events", 0.1, "everything"), Kill("build_features", 0.3, "command")):
        run_and_kill([*command(*run), "--home", str(home.root)], home, kill)
        until(lambda: lock_holder(home) is None)
        assert states_of(home)[-1] == "killed"

    stopped = bucket_home.start(*run)
    until(
        lambda: len(run_ids(home)) == 3 and has_document(home.runs / run_ids(home)[-1] / "steps/validate_events.json")
    )
    family = [psutil.Process(stopped.pid), *psutil.Process(stopped.pid).children(recursive=True)]
    for process in family:
        process.suspend()
    until(lambda: lock_holder(home) is None)
    other = bucket_home.rankloop(*run)
    assert other.returncode == 0, other.stderr
    for process in reversed(family):
        process.resume()
    woken = ended(stopped)
    assert woken.returncode == 1
    # it was stopped before a write, in a request that has no answer any more, or in a commit whose version is taken
    assert any(words in woken.stderr for words in ("has lost its lease", "cannot be used", "could not be written"))
    assert content_of(home) == content_of_folder(ranker_home.home)
    assert [run.state for run in list_runs(home)].count("done") == 1


def test_a_bucket_without_an_online_store_is_one_line(
    ranker_home: LivingHome, bucket: BucketPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ONLINE_VARIABLE, raising=False)
    words = command("run", "--shop", ranker_home.shop_file, "--home", str(bucket))
    refused = subprocess.run(words, capture_output=True, text=True, check=False)
    assert f"expected {ONLINE_VARIABLE} or the document {bucket}/online_url" in the_one_line(refused, 2)
