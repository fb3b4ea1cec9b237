"""What a bundle would show to a frequent, a usual and a rare customer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.build_features.snapshots import build_features
from components.bundles.drafting import Draft, write_draft
from components.bundles.warmup import Warmup
from components.contracts.example_customers import CustomerExample
from components.contracts.handles import Handle
from components.features.snapshots.sets import open_set
from components.home.layout import Home
from components.publish_bundle.examples import customer_examples
from components.ranking.baselines import BASELINE_NAMES
from components.ranking.features import FEATURE_NAMES
from tests.components.build_features.homes import habits, quiet, small_shop, write_clean
from tests.components.bundles.drafts import baseline_draft, small_manifest
from tests.components.features.frames import clean_tables, event, on

pytestmark = pytest.mark.slow(seconds=20)

REGULAR = [event(day, user, item) for day in range(0, 69, 7) for user in ("ann", "bob") for item in ("tea", "milk")]


def shown(
    folder: Path, events: Sequence[dict[str, Any]], items: Sequence[dict[str, Any]] = ()
) -> tuple[CustomerExample, ...]:
    home = Home(folder / "home")
    clean = write_clean(home, clean_tables(events, items))
    features = build_features(small_shop(), home, clean, quiet).handle
    bundle = write_draft(folder / "draft", buying_again(features))
    handle = Handle("bundle", str(bundle.folder), clean.versions, bundle.digest, clean.as_of)
    return customer_examples(home, features, handle, quiet)


def buying_again(features: Handle) -> Draft:
    manifest = small_manifest(open_set(features).revision)
    nothing = np.zeros((0, len(FEATURE_NAMES)), dtype=np.float32)
    warmup = Warmup(nothing, nothing[:, : len(BASELINE_NAMES)], nothing[:, 0])
    return Draft(manifest, {}, b'{"format":1,"tables":{}}', warmup, baseline_draft().sidecar)


def test_a_frequent_a_usual_and_a_rare_customer_are_shown_their_lists(tmp_path: Path) -> None:
    often = [event(day, "zoe", "tea") for day in range(60)] + [event(day, "max", "tea") for day in range(65)]
    seldom = [event(5, "amy", "milk")]
    examples = shown(tmp_path, [*habits(), *often, *seldom])
    assert {"amy", "zoe"} < {example.user_id for example in examples}
    assert len(examples) == 3
    frequent = next(example for example in examples if example.user_id == "zoe")
    assert (frequent.history[0].item_id, frequent.history[0].times) == ("tea", 60)
    assert frequent.items[0].item_id == "tea"
    assert [item.rank for item in frequent.items] == list(range(1, len(frequent.items) + 1))


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        ([], "tea"),
        ([{"title": "Old"}], "Old"),
        ([{"title": "Old"}, {"title": "New", "valid_from": on(30)}], "New"),
        ([{"title": "New", "valid_from": on(30)}, {"title": "Later", "valid_from": on(99)}], "New"),
    ],
)
def test_items_are_called_what_the_catalogue_said_at_the_as_of(
    tmp_path: Path, rows: list[dict[str, Any]], title: str
) -> None:
    examples = shown(tmp_path, REGULAR, [{"item_id": "tea", **row} for row in rows])
    titles = {item.title for example in examples for item in example.items if item.item_id == "tea"}
    assert titles == {title}


def test_without_customers_nobody_is_recommended_to(tmp_path: Path) -> None:
    assert shown(tmp_path, [event(day, None, "tea") for day in range(0, 69, 7)]) == ()
