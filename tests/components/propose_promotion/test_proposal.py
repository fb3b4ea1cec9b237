from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.bundles.environments import PointerFiles
from components.contracts.errors import BundleError, PromotionError
from components.contracts.handles import Handle
from components.contracts.steps.declared import StepResult
from components.propose_promotion.proposal import propose_promotion
from components.publish_bundle.publishing import publish_bundle
from tests.components.evaluate_ranker.judging import NOW, Bench, set_up
from tests.components.train_ranker.synthetic_examples import World


def publish(bench: Bench) -> tuple[Handle, Handle]:
    evaluation = bench.evaluate().handle
    published = publish_bundle(bench.shop, bench.home, bench.draft, evaluation, "run-2", NOW, None, lambda _: None)
    return published.handle, evaluation


def propose(bench: Bench, bundle: Handle, evaluation: Handle) -> StepResult[Any]:
    return propose_promotion(bench.shop, bench.home, evaluation, bundle, "local", NOW, lambda _: None)


def test_a_verdict_that_says_promote_moves_the_pointer(tmp_path: Path) -> None:
    bench = set_up(tmp_path)
    bundle, evaluation = publish(bench)
    proposed = propose(bench, bundle, evaluation)
    assert proposed.facts.moved
    assert proposed.handle.digest == bundle.digest
    assert PointerFiles(bench.home.environments).read("local").bundle == bundle.digest


def test_proposing_what_is_live_again_changes_nothing(tmp_path: Path) -> None:
    bench = set_up(tmp_path)
    bundle, evaluation = publish(bench)
    propose(bench, bundle, evaluation)
    before = (bench.home.environments / "local.json").read_bytes()
    again = propose(bench, bundle, evaluation)
    assert not again.facts.moved
    assert "already serves" in again.facts.reason
    assert (bench.home.environments / "local.json").read_bytes() == before


def test_a_refused_challenger_changes_nothing_and_says_why(tmp_path: Path) -> None:
    bench = set_up(tmp_path, World(taste=0.0))
    proposed = propose(bench, *publish(bench))
    assert not proposed.facts.moved
    assert proposed.handle.digest is None
    assert "was refused, so nothing is live in local: NDCG@10 does not beat" in proposed.facts.reason
    assert not bench.home.environments.exists()


def test_a_verdict_on_another_bundle_moves_nothing(tmp_path: Path) -> None:
    bench = set_up(tmp_path)
    bundle, evaluation = publish(bench)
    with pytest.raises(PromotionError, match="evaluate this bundle first"):
        propose(bench, replace(bundle, digest="sha256:" + 64 * "0"), evaluation)


def test_a_bundle_tampered_with_after_publishing_moves_nothing(tmp_path: Path) -> None:
    bench = set_up(tmp_path)
    bundle, evaluation = publish(bench)
    (Path(bundle.uri) / "warmup.npz").write_bytes(b"PK")
    with pytest.raises(BundleError, match="changed after it was sealed"):
        propose(bench, bundle, evaluation)
    assert PointerFiles(bench.home.environments).read("local").bundle is None
