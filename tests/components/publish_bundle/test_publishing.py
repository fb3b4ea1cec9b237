from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.bundles.promotion import named_bundle
from components.contracts.errors import BundleError
from components.contracts.handles import Handle
from components.contracts.steps.declared import StepResult
from components.publish_bundle.publishing import publish_bundle
from components.shop.settings import Shop
from tests.components.bundles.drafts import sealed_folders
from tests.components.evaluate_ranker.judging import NOW, Bench, set_up
from tests.components.train_ranker.synthetic_examples import World


def publish(bench: Bench, evaluation: Handle, shop: Shop | None = None) -> StepResult[Any]:
    shop = shop or bench.shop
    return publish_bundle(shop, bench.home, bench.draft, evaluation, "run-2", NOW, "abc123", lambda _: None)


def test_a_judged_draft_is_sealed_with_its_verdict_beside_it(tmp_path: Path) -> None:
    bench = set_up(tmp_path)
    published = publish(bench, bench.evaluate().handle)
    bundle = named_bundle(bench.home, "corner", "challenger")
    assert published.handle.digest == bundle.digest == bench.draft.digest
    assert bundle.sidecar.promotable
    assert bundle.sidecar.code_revision == "abc123"
    assert bundle.sidecar.published_at == NOW
    assert bundle.sidecar.training["importance"]


def test_the_model_card_tells_where_the_bundle_comes_from(tmp_path: Path) -> None:
    bench = set_up(tmp_path)
    card = publish(bench, bench.evaluate().handle).facts
    assert card.name == f"rankloop_corner:{str(bench.draft.digest)[7:23]}"
    assert card.versions == bench.examples.versions == {"events": 0}
    assert card.promote is True
    assert card.bytes > 1000


def test_a_refused_challenger_is_published_but_nothing_points_at_it(tmp_path: Path) -> None:
    bench = set_up(tmp_path, World(taste=0.0))
    published = publish(bench, bench.evaluate().handle)
    assert not named_bundle(bench.home, "corner", str(published.handle.digest)).sidecar.promotable
    assert not bench.home.environments.exists()


def test_a_verdict_on_another_bundle_is_refused(tmp_path: Path) -> None:
    bench = set_up(tmp_path)
    other = replace(bench.evaluate().handle, digest="sha256:" + 64 * "0")
    with pytest.raises(BundleError, match=r"the verdict's bundle is sha256:0000.*: the parts disagree"):
        publish(bench, other)
    assert sealed_folders(bench.home.models) == []


def test_a_bundle_for_another_shop_or_list_length_is_refused(tmp_path: Path) -> None:
    bench = set_up(tmp_path)
    evaluation = bench.evaluate().handle
    with pytest.raises(BundleError, match="the bundle's shop is corner, expected market"):
        publish(bench, evaluation, bench.shop.model_copy(update={"name": "market"}))
    with pytest.raises(BundleError, match="the bundle's list length is 10, expected 5"):
        publish(bench, evaluation, bench.shop.model_copy(update={"k": 5}))


def test_a_draft_that_changed_since_it_was_judged_is_refused(tmp_path: Path) -> None:
    bench = set_up(tmp_path)
    evaluation = bench.evaluate().handle
    (Path(bench.draft.uri) / "logit.ubj").write_bytes(b"{}")
    with pytest.raises(BundleError, match="changed after it was sealed"):
        publish(bench, evaluation)
