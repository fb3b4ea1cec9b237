"""``rankloop forget``: one user is erased from a home that was run twice and has served, and does not come back."""

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from components.contracts.errors import SourceError
from components.erasure.search import holds
from components.home.data_subject import DataSubject
from components.home.disk.presence import files_below
from components.home.layout import Home
from components.home.runs.records import list_runs, read_json
from components.home.storage.documents import list_names, names_below, remove_document
from components.home.storage.locations import BucketPath
from components.home.storage.objects import fetch_named, has_folder, local_folder
from components.home.tombstones import Tombstones
from components.lake.tables import LOG, open_table
from tests.components.feedback.rows import a_list, an_event, log_all
from tests.pipelines.homes.copied_home import copy_to_bucket
from tests.pipelines.homes.served_home import served
from tests.pipelines.homes.tiny_shop import LivingHome, command, rankloop, the_one_line
from tests.pipelines.homes.traces import where
from tests.pipelines.serving.test_serving import ask
from tests.servers import redis_server

pytestmark = pytest.mark.slow(seconds=120)

OLD_LISTS = "\n[contract]\nmax_gap_days = 9999\n"  # what the service logged here is older than the shop's orders


@pytest.fixture(scope="module")
def living(baseline_home: LivingHome) -> LivingHome:
    """A home with two runs, and a log of what a service showed to the customers of the report and to others."""
    home = baseline_home
    home.shop_file.write_text(home.shop_file.read_text() + OLD_LISTS)
    shown = [a_list(f"r{number}", user_id=user) for number, user in enumerate(customers(home))]
    clicks = [an_event(f"e{number}", user_id=user) for number, user in enumerate(customers(home))]
    first, second, *_ = customers(home)
    mixed = an_event(f"{first}.e", user_id=second, session_id=f"{first}-20250301-1", request_id=f"{first}:r")
    context = json.dumps({"session_id": f"web-{first}"})
    log_all(home.home.feedback, *shown, *clicks, mixed, a_list(f"{first}:r", user_id=second, context=context))
    home.answer("run", "--shop", home.shop_file, "--again")
    return home


def customers(living: LivingHome) -> list[str]:
    """The customers that the newest report shows: one frequent, one usual, one rare."""
    return [each["user_id"] for each in living.records()["publish_bundle"].facts["examples"]]


def forget(living: LivingHome, user: str) -> dict[str, Any]:
    document: dict[str, Any] = living.answer("forget", user, "--yes")
    return document


def lists(living: LivingHome) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for row in living.answer("recommend", "--all-users"):
        found.setdefault(row["user_id"], []).append((row["item_id"], row["score"]))
    return found


def test_a_user_is_found_nowhere_afterwards_and_does_not_come_back(living: LivingHome) -> None:
    user, before = customers(living)[0], lists(living)
    assert len(where(living.home, user)) > 20

    receipt = forget(living, user)

    assert where(living.home, user) == []
    assert (receipt["state"], receipt["sweep"]["held_by"], receipt["sweep"]["by_bytes"]) == ("done", [], True)
    erased = [name for name, place in receipt["places"].items() if place["rows"]]
    assert {"online store", "feedback log", "features", "examples", "runs", "lake/raw/events"} <= set(erased)
    parts = {name for name, place in receipt["places"].items() if place["parts"]}
    assert {"feedback log", "lake/raw/events", "lake/clean/events", "lake/raw/impressions"} <= parts
    assert user not in json.dumps(receipt)
    assert user in Tombstones(living.home.tombstones)
    assert user not in (living.home.run(list_runs(living.home)[0].run_id) / "report.html").read_text()

    after = lists(living)
    assert after == {other: found for other, found in before.items() if other != user}
    assert living.answer("recommend", "--user", user)[0]["rank"] == 1  # as for any unknown user

    with living.shop_file.with_name("orders.csv").open("a") as orders:
        orders.write(f'"{user}","i0020","2025-03-07 09:09:53","sale",1,1.6,"v9","r9"\n')
    assert living.run()["bundle"]["digest"]
    assert where(living.home, user) == []

    again = forget(living, user)
    assert (again["state"], again["rows"], again["places"]["lake/raw/events"]["rows"] > 0) == ("done", 0, True)
    assert set(lists(living)) == set(after)


def test_an_older_run_is_refused_in_one_clear_way(living: LivingHome) -> None:
    forget(living, customers(living)[0])
    with pytest.raises(SourceError, match="cannot be repeated"):
        open_table(living.home.clean / "events", 1)


def test_a_service_meets_the_user_as_a_stranger_and_keeps_nothing_of_them(living: LivingHome) -> None:
    user, other = customers(living)[-1], customers(living)[0]
    assert user != other
    clicked = {"type": "click", "item_id": "i0001"}
    with served(living) as address:
        assert ask(address, "/v1/recommend", user_id=user)["fallback"] is None
        ask(
            address, "/v1/events", events=[{"event_id": f"s-{one}", "user_id": one, **clicked} for one in (user, other)]
        )
        receipt = forget(living, user)
        assert (receipt["state"], receipt["services"]) == ("done", {"followed": 1, "silent": 0})
        assert ask(address, "/v1/recommend", user_id=user)["fallback"] == "unknown_user"
        taken = ask(address, "/v1/events", events=[{"event_id": "s-late", "user_id": user, **clicked}])
        assert taken == {"accepted": 1, "repeated": 0}
        assert ask(address, "/v1/recommend", user_id=other)["fallback"] is None
    assert where(living.home, user) == []
    table = DeltaTable(living.home.feedback / "impressions").to_pyarrow_table()
    assert other in table["user_id"].to_pylist()


def test_a_kill_at_any_moment_is_finished_by_the_same_command(living: LivingHome, tmp_path: Path) -> None:
    user = customers(living)[0]
    for number in range(6):
        copy = Home(tmp_path / f"home{number}")
        subprocess.run(["cp", "-a", living.home.root, copy.root], check=True)
        kill_in(KILLED_IN[number], command("forget", user, "--yes", "--home", copy.root), seconds=0.05 * number)
        ended = rankloop("forget", user, "--yes", "--home", copy.root)
        assert ended.returncode == 0, ended.stderr + ended.stdout
        assert where(copy, user) == []
        shutil.rmtree(copy.root)


def kill_in(place: str, words: Sequence[str], seconds: float = 0.0) -> None:
    """Kill the command a moment after it said that it erases from a place."""
    with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:  # each place is named before it is erased
            if f"from {place}" in line:
                time.sleep(seconds)
                process.kill()


KILLED_IN = ("online", "feedback", "lake/clean/events", "lake/raw/events", "features", "runs")


def test_a_home_in_a_bucket_forgets_what_its_folder_forgets(
    living: LivingHome, bucket: BucketPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = customers(living)[0]
    with redis_server(tmp_path) as redis_url:
        monkeypatch.setenv("RANKLOOP_ONLINE_URL", redis_url)
        with monkeypatch.context() as patch:
            patch.delenv("RANKLOOP_ONLINE_URL")
            home = copy_to_bucket(living.home, bucket, redis_url, tmp_path)
            here = forget(living, user)
        fill_cache(home)
        assert len(where(home, user)) > 20
        assert [path for path in files_below(tmp_path / "cache") if holds(path, DataSubject(user))]

        words = ("forget", user, "--yes", "--home", str(bucket))
        kill_in("lake/raw/events", command(*words))
        receipts = [read_json(home.forgotten / name) or {} for name in list_names(home.forgotten)]
        [cut_off] = [receipt for receipt in receipts if receipt["state"] == "under way"]
        assert (cut_off["ended"], "features" in cut_off["places"]) == (None, False)
        assert "run forget is at work in it" in the_one_line(rankloop(*words), code=1)
        remove_document(home.lock)  # as its time passes

        ended = rankloop(*words, "--json")
        assert ended.returncode == 0, ended.stderr
        there = json.loads(ended.stdout)
        assert (there["state"], there["sweep"]["held_by"], there["sweep"]["by_bytes"]) == ("done", [], True)
        assert there["places"].pop("cache of this machine")["files"] > 0
        for places in (here["places"], there["places"]):
            del places["lake/raw/events"]
        counted = ("rows", "parts")
        assert counts(there, counted) == counts(here, counted)
        assert where(home, user) == []
        assert not [path for path in files_below(tmp_path / "cache") if holds(path, DataSubject(user))]
        assert "nothing more was found" in rankloop(*words).stdout


def counts(receipt: dict[str, Any], names: Sequence[str]) -> dict[str, list[int]]:
    """Return what a receipt counts of each place."""
    return {place: [erased[name] for name in names] for place, erased in receipt["places"].items()}


def fill_cache(home: Home) -> None:
    """Read of a bucket what runs read: tables, snapshots and examples, each through the cache of this machine."""
    for name in names_below(home.root):
        if name.endswith(".parquet") and LOG not in name:
            fetch_named(home.root / name)  # type: ignore[arg-type]
    for name in list_names(home.root / "examples"):
        if has_folder(home.root / "examples" / name):
            local_folder(home.root / "examples" / name)


@pytest.mark.parametrize("user", ["nobody", 'o\'hara <ä> "𝄞"', "12", "--"])
def test_who_is_unknown_gets_a_tombstone_and_nothing_changes(living: LivingHome, user: str) -> None:
    versions = {log: len(list(log.iterdir())) for log in living.home.root.rglob("_delta_log")}
    ended = rankloop("forget", "--yes", "--home", living.home.root, "--", user)
    assert ended.returncode == 0, ended.stderr
    assert "nothing was found of this user" in ended.stdout
    assert user in Tombstones(living.home.tombstones)
    assert {log: len(list(log.iterdir())) for log in living.home.root.rglob("_delta_log")} == versions


@pytest.mark.parametrize("user", ["", " ", b"\xff"])
def test_what_is_no_id_is_one_line(living: LivingHome, user: str | bytes) -> None:
    words = [*command("forget", "--yes", "--home", living.home.root), user]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "found no id" in the_one_line(ended, code=2)


def test_a_file_that_still_holds_the_user_is_named_and_fails(living: LivingHome) -> None:
    note = living.home.root / "note.txt"
    note.write_text("call u0999-x back")
    ended = rankloop("forget", "u0999-x", "--yes", "--home", living.home.root)
    note.unlink()
    assert (ended.returncode, "these still hold the user: note.txt" in ended.stdout) == (1, True)
    assert forget(living, "u0999-x")["state"] == "done"


@pytest.mark.parametrize("place", ["online", "feedback", "runs"])
def test_a_place_that_cannot_be_reached_is_not_one_without_the_user(living: LivingHome, place: str) -> None:
    folder = living.home.root / place
    aside = folder.rename(living.home.root.parent / "aside")
    folder.symlink_to("not mounted")
    line = the_one_line(living.rankloop("forget", "nobody", "--yes", "--json"), code=1)
    assert "cannot be searched" in line
    folder.unlink()
    aside.rename(folder)
    assert forget(living, "nobody")["state"] == "done"


def test_it_is_asked_whether_it_is_meant(living: LivingHome) -> None:
    ended = subprocess.run(
        command("forget", "nobody2", "--home", living.home.root),
        input="n\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert "nobody2" not in Tombstones(living.home.tombstones)
