"""A bundle in a bucket is the bundle of a folder: the same digest, checked whenever it is opened."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from components.bundles.drafting import write_draft
from components.bundles.loading import handed_bundle, load_ranker
from components.bundles.manifest import MANIFEST, SIDECAR
from components.bundles.store import (
    bundle_place,
    check_stored,
    find_bundle,
    publish_folder,
    published_manifests,
    published_names,
)
from components.contracts.errors import BundleError
from components.contracts.handles import Handle
from components.home.storage.cache import object_cache
from components.home.storage.documents import list_names, remove_document, write_document
from components.home.storage.locations import BucketPath
from components.home.storage.objects import LISTING
from tests.components.bundles.drafts import baseline_draft, ranker_draft, written


def test_a_published_bundle_is_found_by_digest_by_its_start_and_as_the_latest(
    tmp_path: Path, bucket: BucketPath
) -> None:
    draft = written(tmp_path)
    sealed = publish_folder(bucket, draft, draft.sidecar)
    shutil.rmtree(draft.folder)
    for reference in (draft.digest, draft.digest[7:], draft.digest[7:13], "latest"):
        assert find_bundle(bucket, "corner", reference) == sealed
    load_ranker(sealed)
    assert list(published_manifests(bucket, "corner")) == [sealed.manifest]
    with pytest.raises(BundleError, match="found 0 bundles for 'abc'"):
        find_bundle(bucket, "corner", "abc")


def test_publishing_again_changes_only_the_sidecar(tmp_path: Path, bucket: BucketPath) -> None:
    draft = written(tmp_path)
    publish_folder(bucket, draft, draft.sidecar)
    later = replace(draft.sidecar, run_id="another")
    assert publish_folder(bucket, draft, later).sidecar == later
    assert find_bundle(bucket, "corner", "latest").sidecar == later
    assert published_names(bucket, "corner") == [draft.digest[7:23]]


def test_a_copy_that_was_damaged_is_fetched_again(tmp_path: Path, bucket: BucketPath) -> None:
    draft = written(tmp_path)
    copy = publish_folder(bucket, draft, draft.sidecar).folder / MANIFEST
    copy.unlink()
    copy.write_bytes(b"{}")
    assert find_bundle(bucket, "corner", "latest").digest == draft.digest


def test_a_bundle_whose_publication_was_cut_off_is_not_there(tmp_path: Path, bucket: BucketPath) -> None:
    draft = written(tmp_path)
    publish_folder(bucket, draft, draft.sidecar)
    remove_document(bundle_place(bucket, "corner", draft.digest) / LISTING)
    with pytest.raises(BundleError, match="found 0 bundles for 'latest'"):
        find_bundle(bucket, "corner", "latest")
    assert publish_folder(bucket, draft, draft.sidecar).digest == draft.digest


def test_an_object_that_was_changed_in_the_bucket_is_refused(tmp_path: Path, bucket: BucketPath) -> None:
    draft = written(tmp_path)
    sealed = publish_folder(bucket, draft, draft.sidecar)
    shutil.rmtree(tmp_path / "cache")
    write_document(bundle_place(bucket, "corner", sealed.digest) / MANIFEST, b"{}")
    with pytest.raises(BundleError, match="damaged on its way or in the bucket"):
        find_bundle(bucket, "corner", "latest")


def test_an_object_that_was_lost_is_noticed_with_and_without_a_copy(tmp_path: Path, bucket: BucketPath) -> None:
    draft = written(tmp_path)
    sealed = publish_folder(bucket, draft, draft.sidecar)
    check_stored(bucket, sealed)
    remove_document(bundle_place(bucket, "corner", sealed.digest) / MANIFEST)
    with pytest.raises(BundleError, match=r"manifest.json of it is gone; `rankloop run` puts it back"):
        check_stored(bucket, find_bundle(bucket, "corner", "latest"))
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(BundleError, match=r"manifest.json: it is gone"):
        find_bundle(bucket, "corner", "latest")


def test_manifests_are_read_without_the_rest_of_the_bundles(tmp_path: Path, bucket: BucketPath) -> None:
    draft = written(tmp_path)
    sealed = publish_folder(bucket, draft, draft.sidecar)
    shutil.rmtree(tmp_path / "cache")
    assert [*published_manifests(bucket, "corner"), *object_cache().folder.glob("*")] == [sealed.manifest]


def test_a_draft_is_opened_by_its_handle_and_replaced_by_the_next(bucket: BucketPath) -> None:
    place = bucket / "runs" / "r1" / "draft"
    for draft in (ranker_draft(), baseline_draft()):
        written_there = write_draft(place, draft)
        assert handed_bundle(Handle("bundle", str(place), digest=written_there.digest)) == written_there
    assert SIDECAR in list_names(place)
