"""A home in a bucket, served by two processes with nothing of it on their disks, answers as one in a folder does."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import httpx
import pytest

from components.bundles.signing.signer import Signer
from components.bundles.store import publish_folder
from components.experiments.experiment import experiment_file
from components.feedback.acknowledgements import await_acknowledgements
from components.feedback.reading import served_events
from components.home.storage.documents import write_document
from components.home.storage.locations import BucketPath
from components.home.tombstones import add_tombstone
from tests.components.bundles.signing.signed_bundles import ORIGIN, key_in
from tests.components.ranking_service.served_shop import Stocked, caller_of, published, random_trees, stocked
from tests.components.ranking_service.served_shop import serving as serving_here
from tests.pipelines.homes.served_home import PATIENCE_SECONDS, serving
from tests.pipelines.homes.tiny_shop import command
from tests.servers import S3Server, redis_server
from tests.shop_rights import redis_url_of, s3_variables
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=60)
USERS = [f"u{number}" for number in range(8)]
ASKED = {"k": 5, "explain": True}


@dataclass(frozen=True)
class Bucket:
    """A shop whose home lies in a bucket, the variables by which a process reaches it, and the answers of a folder."""

    shop: Stocked
    variables: dict[str, str]
    expected: list[Any]

    def run(self, *words: str) -> Any:
        """Run a command on the home with an empty cache in an empty folder, and return its document."""
        line = command(*words, "--home", str(self.shop.home.root), "--json")
        with TemporaryDirectory() as folder, TemporaryDirectory() as cache:
            variables = os.environ | self.variables | {"RANKLOOP_CACHE": cache}
            ended = subprocess.run(line, cwd=folder, env=variables, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


@dataclass(frozen=True)
class Process:
    """A process that serves."""

    address: str
    key: str = ""

    def post(self, path: str, **document: Any) -> httpx.Response:
        """Send a document."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return httpx.post(self.address + path, json=document, headers=headers, timeout=PATIENCE_SECONDS)

    def listed(self, user_id: str, **asked: Any) -> Any:
        """Return the items of a list."""
        return self.post("/v1/recommend", user_id=user_id, **asked).json()["items"]

    def item_ids(self, user_id: str, **asked: Any) -> list[str]:
        """Return the ids of a list."""
        return [item["item_id"] for item in self.listed(user_id, **asked)]

    def counted(self, metric: str) -> float:
        """Return the sum of a metric over its labels."""
        page = httpx.get(f"{self.address}/metrics", timeout=PATIENCE_SECONDS).text
        return sum(
            float(line.split()[-1]) for line in page.splitlines() if line.startswith((f"{metric} ", f"{metric}{{"))
        )


@pytest.fixture(scope="module")
def bucket_home(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """Put the same shop into a folder and into a bucket, whose rows lie in a Redis, with a shop's rights only."""
    folder = tmp_path_factory.mktemp("shops")
    in_folder = stocked(folder)
    with serving_here(in_folder.home) as live:
        expected = [caller_of(live).recommend(user, **ASKED)["items"] for user in USERS]
    with redis_server(folder) as url, pytest.MonkeyPatch.context() as patch:
        variables = s3.environment | s3_variables("shop-a") | {"RANKLOOP_ONLINE_URL": redis_url_of("shop-a", url)}
        for name, value in (variables | {"RANKLOOP_CACHE": str(folder / "cache")}).items():
            patch.setenv(name, value)
        shop = stocked(folder / "drafts", BucketPath("ready", f"shop-a/a home ü/{uuid4().hex}"))
        assert shop.bundle.digest == in_folder.bundle.digest
        yield Bucket(shop, variables, expected)


@pytest.fixture(scope="module")
def processes(bucket_home: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Process]]:
    """Serve the home by two processes, each with an empty cache of its own."""
    with ExitStack() as stack:
        started = []
        for name in ("one", "other"):
            cache = {"RANKLOOP_CACHE": str(tmp_path_factory.mktemp(name))}
            server = stack.enter_context(serving(bucket_home.shop, **bucket_home.variables, **cache))
            started.append(Process(server.address))
        yield started


def test_it_answers_as_a_folder_does(bucket_home: Bucket, processes: list[Process]) -> None:
    for process in processes:
        assert [process.listed(user, **ASKED) for user in USERS] == bucket_home.expected


def test_what_was_bought_through_one_is_in_the_next_list_of_the_other(
    bucket_home: Bucket, processes: list[Process]
) -> None:
    one, other = processes
    first, second = one.item_ids("u1", k=2)
    for process, item in ((one, first), (other, second)):
        bought = {"event_id": f"bought {item}", "type": "purchase", "user_id": "u1", "item_id": item}
        assert process.post("/v1/events", events=[bought]).json() == {"accepted": 1, "repeated": 0}
    until(lambda: all({first, second}.isdisjoint(process.item_ids("u1", k=10)) for process in processes))
    events = served_events(bucket_home.shop.home)["event_id"].to_pylist()
    assert {f"bought {first}", f"bought {second}"} <= set(events)


def test_a_click_counts_through_whichever_process_it_arrives(processes: list[Process]) -> None:
    one, other = processes
    answer = one.post("/v1/recommend", user_id="u4", k=3).json()
    click = {"type": "click", "user_id": "u4", "item_id": answer["items"][1]["item_id"]}

    def is_counted() -> bool:
        event = {"event_id": uuid4().hex, "request_id": answer["request_id"], **click}
        assert other.post("/v1/events", events=[event]).status_code == 202
        return other.counted("rankloop_lists_clicked_total") > 0

    until(is_counted)
    assert other.counted("rankloop_reciprocal_rank_total") == 0.5
    assert one.counted("rankloop_lists_clicked_total") == 0


def test_both_act_on_who_is_forgotten(bucket_home: Bucket, processes: list[Process]) -> None:
    home = bucket_home.shop.home
    add_tombstone(home.tombstones, "u7")
    assert await_acknowledgements(home, PATIENCE_SECONDS) == (len(processes), 0)


def test_they_go_by_one_clock(processes: list[Process]) -> None:
    one, other = processes
    before, between, after = (each.counted("rankloop_item_rows_age_seconds") for each in (one, other, one))
    assert before - 1 < between < after + 1, "the second process started seconds later"


def test_bundles_are_shown_promoted_and_rolled_back(bucket_home: Bucket, tmp_path: Path) -> None:
    shop = bucket_home.shop
    first, second = shop.bundle, published(shop.home, tmp_path, random_trees(shop.features.revision, seed=6))
    key = key_in(tmp_path, "mounted")
    keys = {"RANKLOOP_VERIFY_KEYS": str(tmp_path / "mounted.pub")}
    bucket_home = replace(bucket_home, variables=bucket_home.variables | keys)
    for bundle in (first, second):
        publish_folder(shop.home.models, bundle, bundle.sidecar, Signer(key, ORIGIN))
        assert bucket_home.run("promote", bundle.digest, "--env", "staging")["after"] == bundle.digest
    assert not bucket_home.run("promote", second.digest, "--env", "staging")["moved"]
    assert bucket_home.run("rollback", "--env", "staging")["after"] == first.digest
    assert bucket_home.run("bundle", "challenger")["digest"] == second.digest


def test_an_experiment_is_followed_and_read_out(bucket_home: Bucket, processes: list[Process]) -> None:
    document = 'name = "aa"\n[arms.champion]\nshare = 1.0\n'
    write_document(experiment_file(bucket_home.shop.home, "local"), document.encode())
    until(
        lambda: all(process.post("/v1/recommend", user_id="u3").json()["experiment"] == "aa" for process in processes)
    )
    assert bucket_home.run("experiment", "--days", "7")["experiment"] == "aa"


def test_a_bucket_that_cannot_be_used_for_a_while_stops_no_answer(
    bucket_home: Bucket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with serving_here(bucket_home.shop.home) as live:
        with monkeypatch.context() as wrong:
            wrong.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
            until(lambda: "/latest: the credentials are refused" in caplog.text)
            assert caller_of(live).recommend("u2", **ASKED)["items"] == bucket_home.expected[2]
        until(lambda: "home: good again" in caplog.text)
    assert caplog.text.count("/latest: the credentials are refused") == 1


def test_both_ask_for_a_key_once_there_is_one(bucket_home: Bucket, processes: list[Process]) -> None:
    key = bucket_home.run("keys", "add", "web")["key"]
    assert [row["name"] for row in bucket_home.run("keys", "list")] == ["web"]
    until(lambda: all(process.post("/v1/recommend", user_id="u2").status_code == 401 for process in processes))
    callers = [Process(process.address, key) for process in processes]
    assert [caller.post("/v1/recommend", user_id="u2").status_code for caller in callers] == [200, 200]
    bucket_home.run("keys", "remove", "web")
    until(lambda: all(caller.post("/v1/recommend", user_id="u2").status_code == 401 for caller in callers))
