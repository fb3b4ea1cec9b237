"""What a run left and somebody lost: the next run puts it back without a new training, and doctor names it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from components.bundles.environments import PointerFiles
from components.bundles.store import find_bundle
from components.contracts.errors import StoreError
from components.home.runs.records import list_runs
from pipelines.health import examine
from pipelines.runs.training_run import train
from pipelines.settings import run_settings
from tests.pipelines.tiny_shop import LivingHome
from tests.servers import redis_server

pytestmark = [
    pytest.mark.slow(seconds=20),  # of Feast's import, where its registry has to be applied
    pytest.mark.filterwarnings("ignore::DeprecationWarning:feast"),
    pytest.mark.filterwarnings("ignore::UserWarning:feast"),
]


@pytest.fixture(scope="module")
def living(ranker_home: LivingHome) -> LivingHome:
    """A home whose only bundle was promoted."""
    promote(ranker_home)
    return ranker_home


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


def promote(living: LivingHome) -> None:
    """Make the newest bundle live, also if the gate refused it for so small a shop."""
    sidecar = Path(living.document["bundle"]["uri"]) / "sidecar.json"
    known = json.loads(sidecar.read_text())
    known["verdict"]["promote"] = True
    sidecar.write_text(json.dumps(known))
    ended = living.rankloop("promote", living.document["bundle"]["digest"])
    assert ended.returncode == 0, ended.stderr


def run(living: LivingHome) -> list[str]:
    """Run again in this process, and return what was put back; no training may come of it."""
    document = train(run_settings(living.shop_file, living.home.root, None), again=False, quiet=True)
    assert [record.pipeline for record in list_runs(living.home)] == ["training"]
    put_back: list[str] = document.get("put_back", [])
    return put_back


def failures(living: LivingHome) -> dict[str, str]:
    """What doctor finds wrong, by its subject."""
    findings = examine(living.shop_file, living.home.root)
    return {one.subject: one.found for one in findings if one.needed and not one.well}


def test_rows_are_put_back_wherever_they_should_stand(living: LivingHome, redis_url: str) -> None:
    assert failures(living) == {}
    named = living.home.root / "online_url"
    named.write_text(redis_url)
    (subject,) = failures(living)
    assert subject == f"online store {redis_url}"
    assert "the rows were put into lmdb://" in str(run(living))
    assert failures(living) == {}
    with closing(redis.Redis.from_url(redis_url)) as server:
        whole = server.dbsize()
        server.flushall()
        assert "run that wrote its rows is gone; 0 of 52 user_features and 0 of" in failures(living)[subject]
        run(living)
        assert server.dbsize() == whole
        server.delete(*[key for number, key in enumerate(sorted(server.scan_iter("rl1/*"))) if number % 2])
        assert failures(living)[subject] == "26 of 52 user_features and 15 of 29 item_features are there"
        run(living)
        assert server.dbsize() == whole
        for key in sorted(server.scan_iter("rl1/*/user_features/*"))[:3]:
            server.set(key, b"garbage")
        assert run(living) == [f"{subject}: 49 of 52 user_features and 29 of 29 item_features are there"]
    named.unlink()
    shutil.rmtree(living.home.root / "online")
    assert [line.rpartition(": ")[2] for line in run(living)] == ["it is not there"]
    assert failures(living) == {}


def test_a_store_that_cannot_be_reached_is_an_error_and_no_training(living: LivingHome, redis_url: str) -> None:
    named = living.home.root / "online_url"
    named.write_text("redis://127.0.0.1:1/0")
    with pytest.raises(StoreError, match="cannot be reached"):
        run(living)
    assert "cannot be reached" in failures(living)["online store"]
    named.unlink()
    assert [record.pipeline for record in list_runs(living.home)] == ["training"]


@pytest.mark.parametrize("loss", ["folder", "file", "content", "name"])
def test_a_bundle_is_sealed_again_from_its_draft(living: LivingHome, loss: str) -> None:
    folder = Path(living.document["bundle"]["uri"])
    if loss == "folder":
        shutil.rmtree(folder)
    elif loss == "file":
        (folder / "manifest.json").unlink()
    elif loss == "content":
        (folder / "sketches.json").write_bytes(b"{}")
    else:
        (folder.parent / "latest").unlink()
    assert failures(living)
    run(living)
    assert failures(living) == {}
    assert find_bundle(living.home.models, living.document["shop"], "latest").folder == folder


@pytest.mark.parametrize("loss", ["file", "content", "note"])
def test_an_environment_is_put_back_from_its_copy(living: LivingHome, loss: str) -> None:
    pointers = PointerFiles(living.home.environments)
    before, path = pointers.read("local"), living.home.environments / "local.json"
    if loss == "content":
        path.write_bytes(path.read_bytes()[:20])
    elif loss == "file":
        path.unlink()
    else:
        living.home.shop_note.unlink()
    assert failures(living)
    run(living)
    assert pointers.read("local") == before
    assert failures(living) == {}


def test_doctor_says_when_the_shop_file_is_not_that_of_the_home(living: LivingHome) -> None:
    packaged = Path("pipelines/shops/complete_journey.toml")
    (outputs,) = [one for one in examine(packaged, living.home.root) if one.subject == "outputs"]
    assert (outputs.well, outputs.needed) == (False, False)
    assert outputs.found.startswith("not examined: the last run was of shop synthetic")


@pytest.mark.parametrize(
    "url", ["redis://:${NO_SUCH_VARIABLE}secret@127.0.0.1/0", "secret", "redis:/:secret@127.0.0.1/0"]
)
def test_doctor_names_an_online_url_that_cannot_be_read(living: LivingHome, url: str) -> None:
    named = living.home.root / "online_url"
    named.write_text(url)
    try:
        (said,) = failures(living).values()
    finally:
        named.unlink()
    assert "online" in said
    assert "secret" not in said
