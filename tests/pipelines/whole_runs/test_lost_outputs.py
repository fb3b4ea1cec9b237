"""What a run left and somebody lost: the next run puts it back without a new training, and doctor names it."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner

from components.bundles.drafting import write_draft
from components.bundles.environments import PointerFiles
from components.bundles.manifest import DOCUMENTS, MANIFEST, SIDECAR, SIGNATURE
from components.bundles.signing.home_key import KEY_VARIABLE, bundle_signer
from components.bundles.signing.signer import Signer
from components.bundles.store import find_bundle
from components.contracts.errors import RankloopError, StoreError, UnverifiedBundleError
from components.contracts.handles import Handle
from components.contracts.verdict import Verdict, verdict_json
from components.features.snapshots.sets import current_set, manifest_of, read_set
from components.home.layout import Home
from components.home.runs.records import RunRecord, list_runs, save_run
from components.home.runs.step_records import StepRecord
from components.home.shop_note import ShopNote, write_shop_note
from components.home.storage.cache import object_cache
from components.home.storage.documents import read_document, remove_document, write_document
from components.home.storage.locations import BucketPath, Location, parse_location
from components.home.storage.objects import LISTING
from components.materialize_features.materialization import put_rows
from components.publish_bundle.publishing import publish_bundle
from components.shop.settings import Shop
from pipelines.commands.materialize import command
from pipelines.health import examine
from pipelines.runs.outputs import lost_decisions
from pipelines.runs.putting_back import PuttingBack
from pipelines.runs.training_run import train
from pipelines.settings import run_settings
from tests.components.bundles.drafts import baseline_draft
from tests.components.bundles.signing.signed_bundles import key_in
from tests.components.train_ranker.synthetic_examples import small_shop
from tests.online_content import online_content
from tests.pipelines.homes.tiny_shop import LivingHome
from tests.pipelines.homes.verdicts import let_through
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
    let_through(living.home, living.document["bundle"]["digest"])
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
        whole = set(online_content(redis_url))
        server.flushall()
        assert "run that wrote its rows is gone; 0 of 52 user_features and 0 of" in failures(living)[subject]
        run(living)
        assert set(online_content(redis_url)) == whole
        for name in server.scan_iter("rankloop:rl1/*"):
            server.hdel(name, *sorted(server.hkeys(name))[1::2])
        assert failures(living)[subject] == "26 of 52 user_features and 15 of 29 item_features are there"
        run(living)
        assert set(online_content(redis_url)) == whole
        [name] = server.scan_iter("rankloop:rl1/*/user_features/*")
        server.hset(name, mapping=dict.fromkeys(server.hkeys(name)[:3], b"garbage"))
        assert run(living) == [f"{subject}: 49 of 52 user_features and 29 of 29 item_features are there"]
    named.unlink()
    shutil.rmtree(living.home.root / "online")
    assert [line.rpartition(": ")[2] for line in run(living)] == ["it is not there"]
    assert failures(living) == {}


def test_a_command_writes_the_rows_of_every_published_bundle_again(
    living: LivingHome, redis_url: str, tmp_path: Path
) -> None:
    """A bundle that reads older features than the newest is published beside that of the run."""
    home = Home(shutil.copytree(living.home.root, tmp_path / "home"))
    (tmp_path / "home/online_url").write_text(redis_url)
    finished_run(home, small_shop())
    newest = current_set(home.features)
    older = replace(newest, revision=find_bundle(home.models, small_shop().name, "latest").manifest.feature_revision)
    manifest = json.loads(read_document(newest.manifest) or b"") | {"revision": older.revision}
    write_document(manifest_of(home.features, "older"), json.dumps(manifest).encode())
    with closing(redis.Redis.from_url(redis_url)) as server:
        server.flushall()
        for feature_set in (read_set(home.features, "older"), newest):
            put_rows(home, feature_set, lambda _: None)
        whole = set(online_content(redis_url))
        server.flushall()
        answer = materialize(home)
        assert answer.count("it was put back") == 2
        assert f"revision {older.revision}: the mark of the run that wrote its rows is gone" in answer
        assert whole < set(online_content(redis_url)), "and the clock"
        assert materialize(home) == "every row is online\n"


def materialize(home: Home) -> str:
    result = CliRunner().invoke(command, ["--home", str(home.root)])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_store_that_cannot_be_reached_is_an_error_and_no_training(living: LivingHome, redis_url: str) -> None:
    named = living.home.root / "online_url"
    named.write_text("redis://127.0.0.1:1/0")
    with pytest.raises(StoreError, match="cannot be reached"):
        run(living)
    assert "cannot be reached" in failures(living)["online store"]
    named.unlink()
    assert [record.pipeline for record in list_runs(living.home)] == ["training"]


@pytest.mark.parametrize("loss", ["folder", "file", "content", "name", "signature", "verdict"])
def test_a_bundle_is_sealed_again_from_its_draft(living: LivingHome, loss: str) -> None:
    folder = Path(living.document["bundle"]["uri"])
    if loss == "folder":
        shutil.rmtree(folder)
    elif loss == "file":
        (folder / "manifest.json").unlink()
    elif loss == "content":
        (folder / "sketches.json").write_bytes(b"{}")
    elif loss == "signature":
        (folder / SIGNATURE).unlink()
    elif loss == "verdict":
        (folder / SIDECAR).write_text((folder / SIDECAR).read_text().replace('"run_id"', '"run_id" '))
    else:
        (folder.parent / "latest").unlink()
    assert failures(living)
    run(living)
    assert failures(living) == {}
    assert find_bundle(living.home.models, living.document["shop"], "latest").folder == folder


@pytest.mark.parametrize("is_copied", [True, False])
@pytest.mark.parametrize("loss", ["object", "content", "listing"])
def test_a_bundle_in_a_bucket_is_sealed_again_from_its_draft(bucket: BucketPath, loss: str, is_copied: bool) -> None:
    home, shop = Home(bucket), small_shop()
    run, bundle = finished_run(home, shop)
    if loss == "content":
        write_document(bundle / MANIFEST, b"{}")
    else:
        remove_document(bundle / (MANIFEST if loss == "object" else LISTING))
    if not is_copied:
        shutil.rmtree(object_cache().folder)
    put_back = PuttingBack(home, lambda _: None)
    assert not put_back(lost_decisions(home, shop, run))
    hidden = loss == "content" and is_copied  # the copy's content is the right one
    assert len(put_back.done) == (0 if hidden else 1)
    assert list(lost_decisions(home, shop, run)) == []


@pytest.mark.parametrize("missing", ["key", "draft"])
def test_a_damaged_bundle_stays_where_it_cannot_be_sealed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    home, shop = Home(tmp_path), small_shop()
    run, bundle = finished_run(home, shop)
    assert isinstance(bundle, Path)
    (bundle / SIDECAR).write_bytes(b"{}")
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    lost = next(lost_decisions(home, shop, run))
    if missing == "key":
        monkeypatch.setenv(KEY_VARIABLE, str(tmp_path / "no_such.pem"))
    else:
        write_document(home.run("r1") / "draft" / MANIFEST, b"{}")
    assert lost.put_back is not None
    with pytest.raises(RankloopError):
        lost.put_back(lambda _: None)
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before


def test_a_run_puts_back_what_was_signed_and_signs_nothing_that_another_has_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, shop = Home(tmp_path / "home"), small_shop()
    monkeypatch.setenv(KEY_VARIABLE, key_in(tmp_path / "mounted").public.place)
    run, bundle = finished_run(home, shop, bundle_signer(home, shop.name, os.environ))
    assert isinstance(bundle, Path)
    before = {name: (bundle / name).read_bytes() for name in DOCUMENTS}
    write_document(home.run("r1") / "verdict.json", verdict_json(Verdict(False, (), (), None)))
    shutil.rmtree(bundle)
    assert not PuttingBack(home, lambda _: None)(lost_decisions(home, shop, run))
    assert {name: (bundle / name).read_bytes() for name in DOCUMENTS} == before
    remove_document(home.run("r1") / "bundle" / SIDECAR)
    (bundle / SIGNATURE).unlink()
    lost = next(lost_decisions(home, shop, run))
    assert lost.put_back is not None
    with pytest.raises(UnverifiedBundleError, match="has kept no signature of it that is accepted, and RANKLOOP_SIGN"):
        lost.put_back(lambda _: None)
    assert not (bundle / SIGNATURE).exists()


def finished_run(home: Home, shop: Shop, signer: Signer | None = None) -> tuple[RunRecord, Location]:
    """Leave what a run that published a bundle leaves of it; give its record, and where the bundle lies."""
    folder = home.run("r1")
    draft = Handle("bundle", str(folder / "draft"), digest=write_draft(folder / "draft", baseline_draft()).digest)
    write_document(folder / "verdict.json", verdict_json(Verdict(True, (), (), None)))
    verdict = Handle("evaluation", str(folder / "verdict.json"), digest=draft.digest)
    now = "2024-06-03T02:00:00+00:00"
    published = publish_bundle(shop, home, draft, verdict, "r1", now, None, lambda _: None, signer=signer)
    for step, handle in (("train_ranker", draft), ("evaluate_ranker", verdict), ("publish_bundle", published.handle)):
        StepRecord(step, "done", handles={handle.kind: handle}).save(folder)
    run = RunRecord("r1", "training", shop.name, "shop.toml", None, state="done")
    save_run(home, run)
    write_shop_note(home, ShopNote(run.shop, run.shop_file))
    return run, parse_location(published.handle.uri)


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
