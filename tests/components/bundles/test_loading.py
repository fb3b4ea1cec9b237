import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.bundles.digest import sealed_files
from components.bundles.drafting import write_draft
from components.bundles.loading import check_rankable, check_revision, load_ranker, open_bundle
from components.bundles.manifest import MANIFEST, SIDECAR, SKETCHES, WARMUP, read_manifest
from components.bundles.sidecar import write_sidecar
from components.bundles.warmup import Warmup, parse_warmup
from components.contracts.errors import BundleError
from tests.components.bundles.drafts import BASELINES, ROWS, baseline_draft, ranker_draft, written


def test_a_written_draft_opens_with_the_manifest_it_was_made_of(tmp_path: Path) -> None:
    draft = ranker_draft()
    bundle = written(tmp_path, draft)
    assert bundle.manifest == draft.manifest
    assert bundle.sidecar.digest == bundle.digest
    assert bundle.sketches == draft.sketches


def test_a_loaded_ranker_answers_as_the_draft_did_to_the_bit(tmp_path: Path) -> None:
    draft = ranker_draft()
    found = load_ranker(written(tmp_path, draft)).score(ROWS, BASELINES)
    np.testing.assert_array_equal(found, draft.warmup.expected)


def test_a_baseline_is_a_bundle_like_any_other(tmp_path: Path) -> None:
    bundle = written(tmp_path, baseline_draft())
    assert bundle.manifest.name == "no_op"
    np.testing.assert_array_equal(load_ranker(bundle).score(ROWS, BASELINES), BASELINES[:, 1])


def test_equal_content_has_an_equal_digest_and_the_sidecar_is_outside_it(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    assert first.digest == second.digest
    write_sidecar(first.folder, replace(first.sidecar, run_id="another", published_at="2024-06-04"))
    assert open_bundle(first.folder, first.digest).digest == second.digest


@pytest.mark.parametrize(
    "change",
    [{"k": 11}, {"feature_list": "list-2"}, {"candidates": {"history": 100}}, {"rules": {"max_per_category": 2}}],
)
def test_whatever_changes_answers_changes_the_digest(tmp_path: Path, change: dict[str, object]) -> None:
    assert written(tmp_path / "a").digest != written(tmp_path / "b", ranker_draft(**change)).digest


@pytest.mark.parametrize("name", [MANIFEST, "rank.ubj", "logit.ubj", SKETCHES, WARMUP])
def test_a_changed_byte_in_any_sealed_file_is_found(tmp_path: Path, name: str) -> None:
    bundle = written(tmp_path)
    path = bundle.folder / name
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"changed after it was sealed|unreadable"):
        open_bundle(bundle.folder, bundle.digest)


def test_a_sidecar_cannot_pass_off_other_content(tmp_path: Path) -> None:
    bundle = written(tmp_path)
    write_sidecar(bundle.folder, replace(bundle.sidecar, digest="sha256:" + 64 * "0"))
    with pytest.raises(BundleError, match="found content with digest"):
        open_bundle(bundle.folder, bundle.digest)


@pytest.mark.parametrize("name", [MANIFEST, "rank.ubj", WARMUP, SIDECAR])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    bundle = written(tmp_path)
    (bundle.folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        open_bundle(bundle.folder, bundle.digest)


def test_a_bundle_of_another_format_is_refused(tmp_path: Path) -> None:
    bundle = written(tmp_path)
    text = (bundle.folder / MANIFEST).read_text().replace('"format": 1', '"format": 2')
    (bundle.folder / MANIFEST).write_text(text)
    with pytest.raises(BundleError, match="bundle format 2, expected 1"):
        open_bundle(bundle.folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": {"by_magic": 5}}, r"candidates: `by_magic`: found an unknown key, expected one of category, "),
        ({"candidates": {"history": -1}}, r"candidates: `history`: found -1, expected greater than or equal to 0"),
        ({"rules": {"max_per_category": "two"}}, r"rules: `max_per_category`: found 'two', expected a valid integer"),
        ({"rules": {"in_stock": True}}, r"rules: `in_stock`: found an unknown key, expected `in_stock_only`\?"),
    ],
)
def test_limits_and_rules_that_this_code_does_not_know_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    bundle = written(tmp_path)
    manifest = bundle.folder / MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changes))
    with pytest.raises(BundleError, match=rf"manifest\.json: {message}"):
        open_bundle(bundle.folder)


def test_models_that_do_not_answer_the_warm_up_rows_are_refused(tmp_path: Path) -> None:
    draft = ranker_draft()
    wrong = Warmup(ROWS, BASELINES, draft.warmup.expected + 1)
    bundle = write_draft(tmp_path / "draft", replace(draft, warmup=wrong))
    with pytest.raises(BundleError, match="40 of 40 warm-up rows are not answered as expected"):
        load_ranker(bundle)


def test_rows_of_another_feature_revision_are_refused(tmp_path: Path) -> None:
    manifest = written(tmp_path).manifest
    check_revision(manifest, "list-1", "revision-1")
    with pytest.raises(BundleError, match="made for feature-store revision revision-1, found revision-2"):
        check_revision(manifest, "list-1", "revision-2")
    with pytest.raises(BundleError, match="made for feature list list-1, found list-9"):
        check_revision(manifest, "list-9", "revision-1")


def test_no_user_or_item_id_is_under_the_digest(tmp_path: Path) -> None:
    bundle = written(tmp_path)
    assert sealed_files(read_manifest(bundle.folder)) == ["logit.ubj", MANIFEST, "rank.ubj", SKETCHES, WARMUP]
    with np.load(bundle.folder / WARMUP, allow_pickle=False) as arrays:
        assert {name: arrays[name].dtype for name in arrays.files} == dict.fromkeys(
            ("features", "baselines", "expected"), np.dtype(np.float32)
        )


def test_an_earlier_draft_is_replaced_whole(tmp_path: Path) -> None:
    first = written(tmp_path)
    second = written(tmp_path, baseline_draft())
    assert first.folder == second.folder
    assert not (second.folder / "rank.ubj").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["draft"]


def test_a_rule_of_code_that_knew_fewer_rules_answers_with_the_columns_of_this_code(tmp_path: Path) -> None:
    bundle = written(tmp_path, baseline_draft())
    names = ("recent_popularity", bundle.manifest.baseline or "", "popularity")
    columns = np.arange(3 * len(ROWS), dtype=np.float32).reshape(-1, 3)
    np.testing.assert_array_equal(load_ranker(bundle, baseline_names=names).score(ROWS, columns), columns[:, 1])
    with pytest.raises(BundleError, match="known are popularity; `rankloop run --again`"):
        load_ranker(bundle, baseline_names=("popularity",))


def test_a_rule_ranks_whatever_features_this_code_has_and_a_ranker_does_not() -> None:
    rule, ranker = baseline_draft().manifest, ranker_draft().manifest
    check_rankable(rule, "list-9", rule.feature_revision)
    with pytest.raises(BundleError, match="feature-store revision"):
        check_rankable(rule, "list-9", "revision-9")
    with pytest.raises(BundleError, match="feature list"):
        check_rankable(ranker, "list-9", ranker.feature_revision)


@pytest.mark.parametrize("name", [MANIFEST, SKETCHES, WARMUP, SIDECAR])
def test_a_part_that_cannot_be_read_is_reported_in_one_line(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path, baseline_draft()).folder
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(BundleError, match=f"{name}: .*puts the bundle back"):
        open_bundle(folder)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"nothing of NumPy's"])
def test_damaged_warm_up_rows_are_reported_in_one_line(tmp_path: Path, content: bytes) -> None:
    folder = written(tmp_path, baseline_draft()).folder
    with pytest.raises(BundleError, match="unreadable"):
        parse_warmup(content, folder)
