"""A home that lives on: readers and rivals during a run, data that grew oddly, bundles that were tampered with."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.home.runs.lock import lock_holder
from components.home.runs.records import list_runs
from tests.pipelines.homes.tiny_shop import LivingHome, command, the_one_line
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=40)

ODD_ORDERS = """\
u0001,i0001,2025-03-08 09:00:00,sale,two,3.5,v9,,blue
u0002,i0001,2025-03-08 10:00:00,sale,1,3.5,v9,,red
u0003,i9999,2025-03-08 11:00:00,sale,1,3.5,v9,,red
stranger,i0002,2025-03-09 12:00:00,sale,1,3.5,v9,,red
u0001,i0001,2025-01-20 09:00:00,sale,1,3.5,v8,,late
u0001,i0003,2025-03-08 09:00:00,refund,-1,-3.5,v9,,back
"""
USUAL_ORDERS = "".join(f"u{user:04d},i0004,2025-03-08 15:00:00,sale,1,3.5,v{user},,green\n" for user in range(30))
ODD_ITEMS = 'i9999,Robots,Butlers,Acme,99.0,A butler,"true",2025-03-01 00:00:00\n'


@pytest.fixture(scope="module")
def living(ranker_home: LivingHome) -> LivingHome:
    return ranker_home


@contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("part", ["warmup", "manifest", "sketches"])
def test_a_tampered_bundle_is_refused_by_every_command(living: LivingHome, part: str) -> None:
    folder, digest = Path(living.document["bundle"]["uri"]), living.document["bundle"]["digest"]
    sealed = next(path for path in folder.iterdir() if path.name.startswith(part))
    content = sealed.read_bytes()
    pointer = sorted(living.home.environments.glob("*"))
    with changed(sealed, content[:-2] + bytes([content[-2] ^ 1]) + content[-1:]):
        for words in (["recommend", "--all-users", "--bundle", digest], ["promote", digest, "--env", "staging"]):
            assert str(folder) in the_one_line(living.rankloop(*words), code=1)
    assert sorted(living.home.environments.glob("*")) == pointer


def test_a_bundle_of_another_feature_revision_is_refused(living: LivingHome) -> None:
    described = Path(living.records()["build_features"].handles["features"].uri)
    other = json.loads(described.read_text()) | {"revision": "0123456789abcdef"}
    with changed(described, json.dumps(other).encode()):
        ended = living.rankloop("recommend", "--all-users", "--bundle", "challenger")
    assert "feature-store revision" in the_one_line(ended, code=1)


def test_odd_rows_rivals_and_readers_do_not_disturb_a_run(living: LivingHome) -> None:
    """One run, so that it costs little: it takes in odd rows while a second run and readers come by."""
    orders = living.shop_file.with_name("orders.csv")
    header, *lines = orders.read_text().splitlines()
    grown = [f'{header},"colour"', *(f"{line},green" for line in lines)]
    orders.write_text("\n".join(grown) + "\n" + ODD_ORDERS + USUAL_ORDERS)
    items = living.shop_file.with_name("items.csv")
    items.write_text(items.read_text() + ODD_ITEMS)
    first = living.document["bundle"]["digest"]
    run = command("run", "--shop", living.shop_file, "--home", living.home.root, "--json")
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        until(lambda: lock_holder(living.home) is not None and len(list_runs(living.home)) == 2)
        rival = living.rankloop("run", "--shop", living.shop_file)
        assert "is at work in it; wait for it to end, or name another --home" in the_one_line(rival, code=1)
        during = living.rankloop("recommend", "--all-users", "--bundle", first, "--json")
        assert during.returncode == 0, during.stderr
        listed = living.rankloop("runs", "--json")
        assert [run["state"] for run in json.loads(listed.stdout)] == ["running", "done"]
        out, said = running.communicate()
    assert running.returncode == 0, said
    assert json.loads(out)["bundle"]["digest"] != first
    facts = living.records()["ingest_events"].facts["sources"]["orders"]
    assert facts["new_columns"] == facts["unmapped"] == ["colour"]
    assert living.records()["validate_events"].facts["new"]["events"]["quarantined"] == 1
    # the old bundle ranks an item of a category, and a user, that it has never seen
    after = living.rankloop("recommend", "--user", "stranger", "--user", "u0003", "--bundle", first, "--json")
    assert after.returncode == 0, after.stderr
    assert {row["user_id"] for row in json.loads(after.stdout)} == {"stranger", "u0003"}
