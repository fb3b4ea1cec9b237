"""What doctor finds of a home in a bucket; those of folders stand with what they examine."""

from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from components.home.layout import Home
from components.home.runs.lock import hold_lock
from components.home.runs.records import RunRecord, save_run
from components.home.storage import bucket as bucket_module
from components.home.storage.locations import BucketPath, Location
from components.home.storage.proof import prove_store
from pipelines import health
from pipelines.cli import rankloop
from pipelines.health import Finding, examine
from tests.faulty_s3 import failing, faulty_s3, without_conditions
from tests.servers import S3Server
from tests.shop_files import TINY_SHOP


@pytest.fixture
def quick_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """Race a few times only."""
    monkeypatch.setattr(health, "prove_store", partial(prove_store, rounds=2, writers=3))


def findings(home: Location, shop_file: Path = Path("no-such.toml")) -> dict[str, list[Finding]]:
    by_subject: dict[str, list[Finding]] = {}
    for finding in examine(shop_file, home):
        by_subject.setdefault(finding.subject, []).append(finding)
    return by_subject


def test_the_store_of_a_home_in_a_bucket_is_proved(
    bucket: BucketPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANKLOOP_ONLINE_URL", "redis://host")
    seen = findings(bucket)
    assert [(finding.well, finding.found.partition(":")[0]) for finding in seen["store"]] == [
        (True, "write, read, delete"),
        (True, "conditional put"),
        (True, "compare-and-swap"),
    ]
    assert seen["cache"] == [Finding("cache", True, f"{tmp_path}/cache will be made by the first run")]
    assert seen["disk"][0].found.endswith(f" GB free at {tmp_path}/cache")
    assert seen["lock"] == [Finding("lock", True, "free")]
    assert "online store" not in seen
    assert "links" not in seen


def test_a_home_in_a_bucket_is_examined_as_one_in_a_folder(
    location: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_proof: None
) -> None:
    home, shop_file = Home(location), tmp_path / "tiny.toml"
    shop_file.write_text(TINY_SHOP)
    monkeypatch.setenv("RANKLOOP_ONLINE_URL", "redis://127.0.0.1:1/0")
    save_run(home, RunRecord("20260101T000000000-abcd", "training", "another", "other.toml", None, state="done"))
    with hold_lock(home, "run-1"):
        seen = findings(location, shop_file)
    [lock], [outputs] = seen["lock"], seen["outputs"]
    assert (lock.found.partition(" (")[0], lock.needed) == ("held by run run-1", False)
    assert outputs.found == f"not examined: the last run was of shop another, {shop_file} is of tiny"


def test_a_bucket_without_an_online_store_is_told_what_it_needs(bucket: BucketPath, quick_proof: None) -> None:
    [online] = findings(bucket)["online store"]
    assert (online.well, "expected RANKLOOP_ONLINE_URL or the document" in online.found) == (False, True)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (403, "ExpiredToken", "the credentials are refused (ExpiredToken"),
        (403, "RequestTimeTooSkewed", "this machine's clock is not the server's"),
        (404, "NoSuchBucket", "has no bucket ready; create it, or name another"),
        (503, "SlowDown", "was throttling for 45 s"),
        (507, "QuotaExceeded", "the store is full"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_one_finding(
    status: int, code: str, words: str, bucket: BucketPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "MAX_RETRIES", 0)
    with faulty_s3("http://asks.nobody", request=failing(status, code)):
        seen = findings(bucket)
        ended = CliRunner().invoke(rankloop, ["doctor", "--home", str(bucket)])
    [store] = seen["store"]
    assert (store.well, words in store.found, {"lock", "cache", "outputs"} & seen.keys()) == (False, True, set())
    [line] = [line for line in ended.output.splitlines() if line.startswith("FAIL  store ")]
    assert (ended.exit_code, words in line) == (1, True)


def test_a_store_that_forgets_conditions_fails_with_advice(
    bucket: BucketPath, s3: S3Server, monkeypatch: pytest.MonkeyPatch, quick_proof: None
) -> None:
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with faulty_s3(s3.endpoint, request=without_conditions):
        _, creation, swaps = findings(bucket)["store"]
    assert (creation.well, swaps.well) == (False, False)
    assert creation.fix.startswith("use a server whose conditional puts are atomic, such as AWS S3")


def test_a_bound_of_the_cache_that_is_no_number_is_found(
    bucket: BucketPath, monkeypatch: pytest.MonkeyPatch, quick_proof: None
) -> None:
    monkeypatch.setenv("RANKLOOP_CACHE_BYTES", "20 GB")
    [cache] = findings(bucket)["cache"]
    assert (cache.well, "RANKLOOP_CACHE_BYTES: found '20 GB'" in cache.found) == (False, True)
