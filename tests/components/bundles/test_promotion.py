import json
from dataclasses import replace
from pathlib import Path

import pytest

from components.bundles.environments import Move, Pointer, PointerFiles
from components.bundles.promotion import named_bundle, promote, rollback
from components.bundles.store import publish_folder
from components.contracts.errors import BundleError, PromotionError
from components.home.layout import Home
from components.home.storage.documents import read_document, write_document
from components.home.storage.locations import Location
from tests.components.bundles.drafts import ranker_draft, written

NOW = "2024-06-03T02:00:00+00:00"
MOVE = Move("promote", "sha256:lost", "run-1", NOW)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def published(home: Home, k: int, promote: bool = True) -> str:
    """Publish a bundle that differs from others by its k."""
    draft = written(home.root / f"draft-{k}", ranker_draft(k=k))
    checks = [{"name": "superiority", "passed": promote, "reason": "NDCG@10 does not beat popularity"}]
    sidecar = replace(draft.sidecar, run_id=f"run-{k}", verdict={"promote": promote, "checks": checks})
    return publish_folder(home.models, draft, sidecar).digest


def live(home: Home) -> str | None:
    return PointerFiles(home.environments).read("local").bundle


def test_promotion_moves_the_pointer_and_keeps_its_history(home: Home) -> None:
    first, second = published(home, 1), published(home, 2)
    promote(home, "corner", first, "local", NOW)
    change = promote(home, "corner", second[7:15], "local", NOW)
    assert (change.before, change.after, change.moved) == (first, second, True)
    assert change.reason == f"local now serves {second[7:23]} of run run-2 instead of {first[7:23]}"
    document = json.loads((home.environments / "local.json").read_text())
    assert document["bundle"] == second
    assert [(move["action"], move["bundle"], move["run_id"]) for move in document["moves"]] == [
        ("promote", first, "run-1"),
        ("promote", second, "run-2"),
    ]


def test_promoting_what_is_live_changes_nothing(home: Home) -> None:
    first = published(home, 1)
    promote(home, "corner", first, "local", NOW)
    before = (home.environments / "local.json").read_bytes()
    assert not promote(home, "corner", first, "local", "2024-07-01T00:00:00+00:00").moved
    assert (home.environments / "local.json").read_bytes() == before


def test_a_refused_bundle_is_not_promoted(home: Home) -> None:
    refused = published(home, 1, promote=False)
    with pytest.raises(PromotionError, match=r"the gate refused it \(NDCG@10 does not beat popularity\)"):
        promote(home, "corner", refused, "local", NOW)
    assert live(home) is None


def test_rollback_goes_back_one_promotion_at_a_time(home: Home) -> None:
    digests = [published(home, k) for k in (1, 2, 3)]
    for digest in digests:
        promote(home, "corner", digest, "local", NOW)
    assert rollback(home, "corner", "local", NOW).after == digests[1]
    assert rollback(home, "corner", "local", NOW).after == digests[0]
    with pytest.raises(PromotionError, match="no earlier bundle to go back to"):
        rollback(home, "corner", "local", NOW)
    promote(home, "corner", digests[2], "local", NOW)
    assert rollback(home, "corner", "local", NOW).after == digests[0] == live(home)


def test_rollback_with_nothing_promoted_says_so(home: Home) -> None:
    with pytest.raises(PromotionError, match="local: found nothing promoted"):
        rollback(home, "corner", "local", NOW)


def test_rollback_to_a_tampered_bundle_changes_nothing(home: Home) -> None:
    first, second = published(home, 1), published(home, 2)
    for digest in (first, second):
        promote(home, "corner", digest, "local", NOW)
    (named_bundle(home, "corner", first).folder / "rank.ubj").write_bytes(b"{}")
    with pytest.raises(BundleError, match="changed after it was sealed"):
        rollback(home, "corner", "local", NOW)
    assert live(home) == second


def test_champion_challenger_and_digest_name_bundles(home: Home) -> None:
    first, second = published(home, 1), published(home, 2, promote=False)
    with pytest.raises(BundleError, match="nothing was promoted yet"):
        named_bundle(home, "corner", "champion")
    promote(home, "corner", first, "local", NOW)
    assert named_bundle(home, "corner", "champion").digest == first
    assert named_bundle(home, "corner", "challenger").digest == second
    assert named_bundle(home, "corner", second).digest == second


@pytest.mark.parametrize("content", ["half a docu", "[" * 100_000])
def test_an_environment_file_that_is_not_json_is_reported(home: Home, content: str) -> None:
    home.environments.mkdir(parents=True)
    (home.environments / "local.json").write_text(content)
    with pytest.raises(PromotionError, match="unreadable"):
        PointerFiles(home.environments).read("local")


def test_an_environment_whose_file_cannot_be_reached_is_not_one_without_promotions(home: Home) -> None:
    home.environments.mkdir(parents=True)
    (home.environments / "local.json").symlink_to("not mounted")
    (home.environments / "blue.json").mkdir()
    for environment in ("local", "blue"):
        with pytest.raises(PromotionError, match="cannot be read"):
            PointerFiles(home.environments).read(environment)
    assert PointerFiles(home.environments).environments() == ["blue", "local"]


FIRST = {"action": "promote", "bundle": "sha256:1", "run_id": "r", "at": "t"}
BACK = FIRST | {"action": "rollback"}


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ([BACK], "move 1: found a rollback, and no earlier promotion"),
        ([FIRST, BACK], "move 2: found a rollback, and no earlier promotion"),
        ([FIRST, FIRST, BACK, BACK], "move 4: found a rollback, and no earlier promotion"),
        ([FIRST | {"bundle": 5}], "moves.0.bundle: found 5, expected a valid string"),
        ([FIRST | {"bundle": None}], "moves.0.bundle: found None, expected a valid string"),
        ([FIRST, FIRST | {"run_id": []}], r"moves.1.run_id: found \[\], expected a valid string"),
        ([FIRST | {"action": "remove"}], "moves.0.action: found 'remove', expected 'promote' or 'rollback'"),
        ([FIRST | {"more": "text"}], "moves.0.more is not known"),
        (["promote"], "moves.0: found 'promote', expected an object"),
        ("", "moves: found '', expected a valid array"),
        ({}, "moves: found {}, expected a valid array"),
    ],
)
def test_an_environment_file_whose_moves_were_never_made_is_reported(home: Home, moves: object, message: str) -> None:
    home.environments.mkdir(parents=True)
    (home.environments / "local.json").write_text(json.dumps({"moves": moves}))
    with pytest.raises(PromotionError, match=rf"local\.json: unreadable \(.*{message}.*\); `rankloop run` restores it"):
        PointerFiles(home.environments).read("local")


def test_a_lost_pointer_is_restored_unless_somebody_has_moved_it_since(location: Location) -> None:
    pointers, lost, later = PointerFiles(location), Pointer("local", (MOVE,)), replace(MOVE, bundle="sha256:later")
    write_document(location / "local.json", b"{}")
    pointers.restore(lost)
    assert (pointers.read("local"), read_document(location / ".local.json.damaged")) == (lost, b"{}")
    pointers.move("local", lambda _: later)
    pointers.restore(lost)
    assert pointers.read("local").moves == (MOVE, later)
    assert [copy.moves for copy in pointers.copies()] == [(MOVE, later)]


def test_environments_are_apart_and_named_plainly(home: Home) -> None:
    first = published(home, 1)
    promote(home, "corner", first, "staging", NOW)
    assert live(home) is None
    for name in ("../local", "", "-", "münchen"):  # the service looks for files of these names, so ASCII alone
        with pytest.raises(PromotionError, match="expected ASCII letters"):
            promote(home, "corner", first, name, NOW)


def test_a_reader_never_sees_half_a_pointer_when_the_disk_is_full(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = published(home, 1), published(home, 2)
    promote(home, "corner", first, "local", NOW)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("components.home.disk.durable.os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            promote(home, "corner", second, "local", NOW)
    assert live(home) == first
    assert sorted(path.name for path in home.environments.iterdir()) == [
        ".local.json.copy",
        ".local.json.lock",
        "local.json",
    ]
