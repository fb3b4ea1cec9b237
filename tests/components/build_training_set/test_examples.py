import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.build_features.snapshots import build_features
from components.build_training_set.examples import build_training_set
from components.contracts.ranking_examples import read_manifest, read_split
from components.home.layout import Home
from components.home.storage.documents import remove_document
from components.home.storage.objects import local_folder, publish_folder
from tests.components.build_features.homes import AS_OF, home_of, quiet, small_shop
from tests.components.features.frames import on

# Ibis 12 reads a DuckDB 2 table's schema through a method that DuckDB deprecates; goes with Ibis 13.
pytestmark = [
    pytest.mark.slow(seconds=20),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:feast"),
    pytest.mark.filterwarnings("ignore::UserWarning:feast"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    home, clean = home_of(tmp_path_factory.mktemp("home"))
    features = build_features(small_shop(), home, clean, quiet).handle
    return home, clean, features, build_training_set(small_shop(), home, clean, features, quiet)


def test_labels_are_the_items_bought_in_the_week_after_the_request(built):
    _, _, _, examples = built
    split = read_split(Path(examples.handle.uri), "heldout")
    requests = split.requests.to_pylist()
    assert {row["request_time"] for row in requests} == {on(56), on(63)}
    rows = split.rows.to_pylist()
    for number, request in enumerate(requests):
        labelled = {row["item_id"] for row in rows if row["request"] == number and row["label"] == 1}
        assert labelled == _bought(request["user_id"], request["request_time"])
        assert request["relevant"] == len(labelled)


def test_rows_are_whole_requests_in_order_of_item_position(built):
    split = read_split(Path(built[3].handle.uri), "train")
    request = split.rows["request"].to_numpy()
    position = split.rows["item_position"].to_numpy()
    order = np.lexsort((position, request))
    assert np.array_equal(order, np.arange(len(order)))
    assert split.group_sizes.min() > 0
    assert split.features.shape == (len(request), len(read_manifest(Path(built[3].handle.uri)).feature_names))


def test_examples_in_a_bucket_of_which_an_object_was_lost_are_built_again(built, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("RANKLOOP_ONLINE_URL", f"lmdb://{tmp_path}/online")
    _, clean, features, examples = built
    whole = Path(examples.handle.uri)
    place = bucket / "examples" / whole.name
    publish_folder(shutil.copytree(whole, tmp_path / "copy"), place)
    remove_document(place / "train_rows.parquet")
    assert build_training_set(small_shop(), Home(bucket), clean, features, quiet).facts == examples.facts
    assert (local_folder(place) / "train_rows.parquet").read_bytes() == (whole / "train_rows.parquet").read_bytes()


def test_training_labels_end_before_the_held_out_weeks_begin(built):
    manifest = read_manifest(Path(built[3].handle.uri))
    assert (manifest.train_end, manifest.heldout_start) == (on(56).isoformat(), on(56).isoformat())
    times = {
        name: read_split(Path(built[3].handle.uri), name).requests["request_time"].to_pylist()
        for name in ("train", "validation", "heldout")
    }
    assert max(times["train"]) < min(times["validation"]) < min(times["heldout"]) < AS_OF
    assert manifest.enough


def test_equal_examples_are_kept_and_a_fresh_home_gives_the_same_bits(built, tmp_path):
    home, clean, features, examples = built
    again = build_training_set(small_shop(), home, clean, features, quiet)
    assert again.handle.uri == examples.handle.uri
    other, other_clean = home_of(tmp_path)
    other_features = build_features(small_shop(), other, other_clean, quiet).handle
    fresh = build_training_set(small_shop(), other, other_clean, other_features, quiet)
    for name in ("train", "validation", "heldout"):
        one, two = (read_split(Path(made.handle.uri), name) for made in (examples, fresh))
        assert np.array_equal(one.features, two.features, equal_nan=True)
        assert one.rows.equals(two.rows)


def test_too_few_users_are_told_not_raised(tmp_path):
    home, clean = home_of(tmp_path)
    shop = small_shop(gate={"heldout_horizons": 2, "min_users": 500})
    features = build_features(shop, home, clean, quiet).handle
    manifest = read_manifest(Path(build_training_set(shop, home, clean, features, quiet).handle.uri))
    assert not manifest.enough
    assert "expected those of at least 500 users" in manifest.shortfall


def test_too_short_a_history_is_told_not_raised(tmp_path):
    home, clean = home_of(tmp_path)
    early = replace(clean, as_of=on(9).isoformat())
    features = build_features(small_shop(), home, early, quiet).handle
    examples = build_training_set(small_shop(), home, early, features, quiet)
    assert "found 0 training requests" in read_manifest(Path(examples.handle.uri)).shortfall


def _bought(user, start):
    from tests.components.build_features.homes import habits

    return {
        row["item_id"]
        for row in habits()
        if row["user_id"] == user and 0 <= (row["event_time"] - start).total_seconds() < 7 * 86400
    }
