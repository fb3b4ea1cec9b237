import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from components.bundles import store
from components.bundles.loading import Bundle, load_ranker
from components.bundles.sidecar import Sidecar
from components.bundles.store import find_bundle, publish_folder
from components.contracts.errors import BundleError
from tests.components.bundles.drafts import baseline_draft, ranker_draft, sealed_folders, written


def judged(bundle: Bundle, promote: bool = True) -> Sidecar:
    return replace(bundle.sidecar, published_at="2024-06-03T01:00:00+00:00", verdict={"promote": promote, "checks": []})


def test_a_published_bundle_is_found_by_digest_by_its_start_and_as_the_latest(tmp_path: Path) -> None:
    draft = written(tmp_path)
    sealed = publish_folder(tmp_path / "models", draft, judged(draft))
    shutil.rmtree(draft.folder)
    for reference in (draft.digest, draft.digest[7:], draft.digest[7:13], "latest"):
        assert find_bundle(tmp_path / "models", "corner", reference) == sealed
    load_ranker(sealed)


def test_the_last_published_is_the_latest_also_when_it_was_there_before(tmp_path: Path) -> None:
    models = tmp_path / "models"
    first, second = written(tmp_path / "a"), written(tmp_path / "b", baseline_draft())
    for draft in (first, second, first):
        publish_folder(models, draft, judged(draft))
        assert find_bundle(models, "corner", "latest").digest == draft.digest
    assert len(sealed_folders(models)) == 2


def test_publishing_again_changes_the_sidecar_alone(tmp_path: Path) -> None:
    draft = written(tmp_path)
    models = tmp_path / "models"
    publish_folder(models, draft, judged(draft, promote=True))
    again = publish_folder(models, draft, judged(draft, promote=False))
    assert again.digest == draft.digest
    assert not again.sidecar.promotable


def test_a_latest_that_is_no_text_names_nothing(tmp_path: Path) -> None:
    models = tmp_path / "models"
    bundle = publish_folder(models, written(tmp_path), judged(written(tmp_path)))
    (bundle.folder.parent / "latest").write_bytes(b"\xff\x00")
    with pytest.raises(BundleError, match="found 0 bundles for 'latest'"):
        find_bundle(models, "corner", "latest")


def test_an_unknown_or_ambiguous_name_lists_what_there_is(tmp_path: Path) -> None:
    draft = written(tmp_path)
    models = tmp_path / "models"
    with pytest.raises(BundleError, match="found 0 bundles for 'latest', expected one; published are: none"):
        find_bundle(models, "corner", "latest")
    publish_folder(models, draft, judged(draft))
    with pytest.raises(BundleError, match=f"found 0 bundles for 'feed', .* published are: {draft.digest[7:23]}"):
        find_bundle(models, "corner", "feed")
    with pytest.raises(BundleError, match="expected one"):
        find_bundle(models, "corner", "")
    with pytest.raises(BundleError, match="found content with digest"):
        find_bundle(models, "corner", draft.digest[:-1] + "x")


@pytest.mark.parametrize("reference", ["*", "?", "/x", "/", "..", "sha256:", "[0-9]*"])
def test_what_cannot_name_a_bundle_names_none(tmp_path: Path, reference: str) -> None:
    draft = written(tmp_path)
    publish_folder(tmp_path / "models", draft, judged(draft))
    with pytest.raises(BundleError, match=f"found 0 bundles for {re.escape(repr(reference))}, expected one"):
        find_bundle(tmp_path / "models", "corner", reference)


def test_a_tampered_bundle_is_neither_found_nor_published_over(tmp_path: Path) -> None:
    draft = written(tmp_path)
    models = tmp_path / "models"
    sealed = publish_folder(models, draft, judged(draft))
    (sealed.folder / "sketches.json").write_text("{}")
    with pytest.raises(BundleError, match="changed after it was sealed"):
        find_bundle(models, "corner", draft.digest)
    with pytest.raises(BundleError, match="changed after it was sealed"):
        publish_folder(models, draft, judged(draft))


def test_a_draft_is_published_as_it_was_read(tmp_path: Path) -> None:
    draft = written(tmp_path)
    (draft.folder / "sketches.json").write_text('{"format":1}')
    sealed = publish_folder(tmp_path / "models", draft, judged(draft))
    assert (sealed.digest, sealed.content) == (draft.digest, draft.content)


def test_a_kill_before_the_rename_leaves_nothing_and_the_next_run_cleans_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft, models = written(tmp_path), tmp_path / "models"
    killed = models / "tmp" / "left-by-a-killed-run"
    killed.mkdir(parents=True)
    (killed / "rank.ubj").write_bytes(b"half a model")

    def fail(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "move_folder_durably", fail)
        with pytest.raises(KeyboardInterrupt):
            publish_folder(models, draft, judged(draft))
    assert sealed_folders(models) == []
    publish_folder(models, draft, judged(draft))
    assert list((models / "tmp").iterdir()) == []


def test_bentoml_itself_lists_and_exports_the_bundle(tmp_path: Path) -> None:
    draft = written(tmp_path, ranker_draft())
    publish_folder(tmp_path / "models", draft, judged(draft))
    tag = f"rankloop_corner:{draft.digest[7:23]}"
    environment = os.environ | {
        "BENTOML_HOME": str(tmp_path / "models"),
        "BENTOML_DO_NOT_TRACK": "true",
        "HOME": str(tmp_path / "user"),
    }

    def bentoml(*words: str) -> str:
        command = [sys.executable, "-m", "bentoml", "models", *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    assert tag in bentoml("list", "--output", "json")
    assert f"version: {draft.digest[7:23]}" in bentoml("get", "rankloop_corner:latest")
    bentoml("export", tag, str(tmp_path / "exported.bentomodel"))
    assert (tmp_path / "exported.bentomodel").stat().st_size > 1000


def test_publishing_touches_neither_the_users_home_nor_the_network(tmp_path: Path) -> None:
    draft = written(tmp_path)
    script = (
        "import socket, sys\n"
        "def refuse(*_): raise SystemExit('tried the network')\n"
        "socket.socket.connect = refuse\n"
        "from pathlib import Path\n"
        "from dataclasses import replace\n"
        "from components.bundles.loading import open_bundle\n"
        "from components.bundles.store import publish_folder\n"
        "bundle = open_bundle(Path(sys.argv[1]))\n"
        "publish_folder(Path(sys.argv[2]), bundle, bundle.sidecar)\n"
    )
    home = tmp_path / "user"
    home.mkdir()
    environment = os.environ | {"HOME": str(home), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", script, str(draft.folder), str(tmp_path / "models")]
    subprocess.run(command, env=environment, check=True)
    assert list(home.iterdir()) == []
