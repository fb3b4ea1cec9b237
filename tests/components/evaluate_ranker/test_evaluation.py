import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.bundles.loading import open_bundle
from components.bundles.signing.signer import Signer
from components.bundles.signing.trust import Trust
from components.bundles.store import find_bundle, publish_folder
from components.contracts.errors import BundleError
from components.contracts.ranking_examples import read_manifest, read_split
from components.contracts.steps.facts import facts_document
from components.evaluate_ranker.champion import find_champion
from components.ranking.metrics import ndcg, ranked_lists
from components.train_ranker.training import train_ranker
from tests.components.bundles.signing.signed_bundles import ORIGIN, key_in
from tests.components.evaluate_ranker.judging import Bench, check, failed, sale, set_up, write_sales
from tests.components.train_ranker.synthetic_examples import World

pytestmark = pytest.mark.slow(seconds=20)


def test_a_better_challenger_is_promoted_with_every_reason_in_words(bench: Bench) -> None:
    verdict = bench.judge()
    assert verdict.promote, verdict.reasons
    assert [one.name for one in verdict.checks] == [
        "evidence",
        "lists",
        "superiority",
        "non_inferiority",
        "slices",
        "coverage",
        "latency",
        "leak_times",
        "leak_overlap",
        "leak_future",
        "leak_label_shuffle",
        "leak_constant_gain",
    ]
    assert verdict.best_baseline == "popularity"
    assert "popularity, which stands in for a champion" in check(verdict, "non_inferiority").reason


def test_contenders_carry_metrics_intervals_and_slices(bench: Bench) -> None:
    verdict = bench.judge()
    challenger = verdict.contender("challenger")
    assert challenger is not None
    assert set(challenger.metrics) == {"map", "hit_rate", "recall", "precision", "coverage", "novelty"}
    assert set(challenger.intervals) == {"map", "hit_rate", "recall", "precision"}
    assert challenger.slice_users == {"cold_start": 30, "heavy": 30}
    for score in (challenger.ndcg, *challenger.slices.values(), *challenger.intervals.values()):
        assert score.low <= score.mean <= score.high
    assert challenger.ndcg.low < challenger.ndcg.mean < challenger.ndcg.high
    assert {one.name for one in verdict.contenders} == {"challenger", "popularity", "no_op"}
    assert {one.against for one in verdict.comparisons if one.slice is None} == {"popularity", "no_op"}


def test_the_numbers_are_those_of_the_metrics_on_the_held_out_rows(bench: Bench) -> None:
    split = read_split(Path(bench.examples.uri), "heldout")
    request, label = split.rows["request"].to_numpy(), split.rows["label"].to_numpy()
    scores = ndcg(ranked_lists(request, split.baselines[:, 0], label, split.requests["relevant"].to_numpy(), 10))
    popularity = bench.judge().contender("popularity")
    assert popularity is not None
    assert popularity.ndcg.mean == pytest.approx(np.nanmean(scores))


def test_the_facts_are_json_and_name_each_held_out_week(bench: Bench) -> None:
    facts = json.loads(json.dumps(facts_document(bench.evaluate().facts)))
    assert list(facts["weeks"]) == ["2024-05-20T00:00:00+00:00", "2024-05-27T00:00:00+00:00"]
    assert facts["heldout_users"] == 60
    assert facts["promote"] is True


def test_equal_inputs_give_an_equal_verdict(bench: Bench) -> None:
    first, second = bench.judge(), bench.judge()
    assert first.contenders == second.contenders
    assert first.comparisons == second.comparisons


def test_a_challenger_that_learned_nothing_is_refused(tmp_path: Path) -> None:
    verdict = set_up(tmp_path, World(taste=0.0)).judge()
    assert not verdict.promote
    assert {"superiority", "non_inferiority"} <= failed(verdict)
    assert "does not beat the best baseline" in check(verdict, "superiority").reason
    assert verdict.reasons[0] in {one.reason for one in verdict.checks if not one.passed}


def test_too_few_users_are_no_evidence(bench: Bench) -> None:
    verdict = bench.judge(bench.with_gate(min_users=61))
    assert failed(verdict) == {"evidence"}
    assert (
        check(verdict, "evidence").reason.startswith("60 users with 118 held-out") or "60 users" in verdict.reasons[0]
    )


def test_the_champion_is_scored_on_the_same_requests(bench: Bench) -> None:
    bench.make_champion()
    verdict = bench.judge()
    champion, challenger = verdict.contender("champion"), verdict.contender("challenger")
    assert champion is not None
    assert challenger is not None
    assert champion.ndcg == challenger.ndcg
    assert verdict.promote
    assert "not inferior to the champion" in check(verdict, "non_inferiority").reason


def test_a_challenger_behind_the_champion_is_refused(tmp_path: Path) -> None:
    bench = set_up(tmp_path)
    bench.make_champion()
    worse = bench.shop.model_copy(
        update={"training": bench.shop.training.model_copy(update={"rounds": 1, "logit_rounds": 1, "depth": 1})}
    )
    draft = train_ranker(worse, bench.home, bench.examples, "run-3", lambda _: None).handle
    verdict = bench.judge(draft=draft)
    assert not verdict.promote
    assert "may be inferior to the champion" in check(verdict, "non_inferiority").reason


def test_a_rule_that_is_ahead_of_the_challenger_refuses_it_though_the_rival_is_beaten(tmp_path: Path) -> None:
    names = ["buy_it_again", "buy_it_again_count"]
    bench = set_up(tmp_path, World(manifest={"baseline_names": names}))
    for split in ("train", "validation", "heldout"):
        taste = np.array(read_split(Path(bench.examples.uri), split).features)[:, 0]
        noise = np.random.default_rng(5).normal(size=(len(taste), 2))
        knows = {"heldout": (0.0, 2.0)}.get(split, (2.0, 0.0))  # what ranks well early ranks badly later
        bench.redraw(split, baselines=(taste[:, None] * knows + noise).astype(np.float32))
    heldout = read_split(Path(bench.examples.uri), "heldout")
    bench.redraw("heldout", features=np.random.default_rng(6).normal(np.array(heldout.features), 1).astype(np.float32))
    verdict = bench.judge()
    assert verdict.best_baseline == "buy_it_again"
    assert failed(verdict) == {"superiority"}
    assert "NDCG@10 beats the best baseline, buy_it_again, beyond noise" in check(verdict, "superiority").reason
    assert "ahead of it: buy_it_again_count by -" in check(verdict, "superiority").reason


def test_a_champion_trained_on_the_held_out_weeks_is_set_aside(bench: Bench) -> None:
    bench.make_champion(train_end="2024-05-27T00:00:00+00:00")
    verdict = bench.judge()
    assert verdict.set_aside is not None
    assert "was trained on outcomes up to 2024-05-27" in verdict.set_aside
    assert verdict.contender("champion") is None
    assert verdict.promote


def test_a_champion_of_another_feature_revision_is_set_aside(bench: Bench) -> None:
    bench.make_champion()
    bench.amend_manifest(feature_revision="revision-2")
    draft = train_ranker(bench.shop, bench.home, bench.examples, "run-3", lambda _: None).handle
    verdict = bench.judge(draft=draft)
    assert verdict.set_aside is not None
    assert "made for feature-store revision revision-1, found revision-2" in verdict.set_aside


def test_a_champion_that_is_gone_or_tampered_with_is_set_aside(bench: Bench) -> None:
    digest = bench.make_champion()
    folder = bench.home.models / "models" / "rankloop_corner" / digest[7:23]
    (folder / "rank.ubj").write_bytes(b"{}")
    assert "changed after it was sealed" in str(bench.judge().set_aside)
    shutil.rmtree(folder)
    assert "found 0 bundles" in str(bench.judge().set_aside)


def test_a_champion_that_nobody_who_is_trusted_signed_is_set_aside(bench: Bench, tmp_path: Path) -> None:
    digest, key = bench.make_champion(), key_in(tmp_path / "keys")
    manifest, trust = read_manifest(Path(bench.examples.uri)), Trust((key.public,), True, "local")
    aside = find_champion(bench.home, bench.shop, "local", manifest, trust)
    assert (aside.ranker, aside.live) == (None, digest)
    assert "model.sig: is missing" in (aside.set_aside or "")
    bundle = find_bundle(bench.home.models, bench.shop.name, digest)
    publish_folder(bench.home.models, bundle, bundle.sidecar, Signer(key, ORIGIN))
    assert find_champion(bench.home, bench.shop, "local", manifest, trust).ranker is not None


def test_a_draft_for_other_features_is_not_judged(bench: Bench) -> None:
    bench.amend_manifest(feature_list="list-2")
    with pytest.raises(BundleError, match="made for feature list list-1, found list-2"):
        bench.judge()


def test_a_draft_that_changed_is_not_judged(bench: Bench) -> None:
    (Path(bench.draft.uri) / "rank.ubj").write_bytes(b"{}")
    with pytest.raises(BundleError, match="changed after it was sealed"):
        bench.judge()


def test_a_slice_that_loses_is_named(bench: Bench) -> None:
    split = read_split(Path(bench.examples.uri), "heldout")
    cold = np.array([one == ["cold_start"] for one in split.requests["slices"].to_pylist()])
    rows = cold[split.rows["request"].to_numpy()]
    features = np.array(split.features)
    features[rows, :2] = -features[rows, :2]
    bench.redraw("heldout", features=features)
    verdict = bench.judge()
    assert not check(verdict, "slices").passed
    assert "1 of 2 customer groups lose more than the 5% allowed: cold_start: -" in check(verdict, "slices").reason
    small = bench.judge(bench.with_gate(min_slice_users=31))
    assert check(small, "slices").passed
    assert "too few users to judge: cold_start (30 users), heavy (30 users)" in check(small, "slices").reason


def test_lists_that_reach_too_little_of_the_catalogue_are_refused(bench: Bench) -> None:
    verdict = bench.judge(bench.with_gate(min_coverage=1.0, max_coverage_loss=0.0))
    assert check(verdict, "coverage").passed
    split = read_split(Path(bench.examples.uri), "heldout")
    features = np.array(split.features)
    place = split.rows["item_position"].to_numpy()
    features[:, :] = (place[:, None] - 15) / 8  # nearly the same items for everyone
    bench.redraw("heldout", features=features)
    assert "coverage" in failed(bench.judge(bench.with_gate(max_coverage_loss=0.1)))


def test_coverage_is_the_share_of_the_merchandise_that_was_sold(bench: Bench) -> None:
    half = [sale(f"item-{number:03}") for number in range(15)]
    others = [sale(f"other-{number}") for number in range(45)]
    version = write_sales(bench.home, half + others)
    bench = replace(bench, examples=replace(bench.examples, versions={"events": version}))
    verdict = bench.judge(bench.with_gate(min_coverage=0.26))
    assert {one.metrics["coverage"] for one in verdict.contenders if one.name != "no_op"} == {0.25}
    assert failed(verdict) == {"coverage"}
    assert "the lists show 25.0% of the merchandise sold in the training weeks" in check(verdict, "coverage").reason
    assert bench.judge(bench.with_gate(min_coverage=0.25)).promote


def test_lists_of_nothing_that_was_sold_are_refused(bench: Bench) -> None:
    version = write_sales(bench.home, [sale("other")])
    strange = replace(bench, examples=replace(bench.examples, versions={"events": version}))
    assert failed(strange.judge()) == {"coverage"}


def test_a_slow_ranker_is_refused(bench: Bench) -> None:
    verdict = bench.judge(bench.with_gate(latency_budget_ms=0.001))
    assert failed(verdict) == {"latency"}


def test_without_any_held_out_success_nothing_is_promoted(tmp_path: Path) -> None:
    bench = set_up(tmp_path, World(heldout_weeks=2))
    split = read_split(Path(bench.examples.uri), "heldout")
    nothing = split.requests.set_column(3, "relevant", [np.zeros(len(split.requests), dtype=np.int32)])
    folder = Path(bench.examples.uri)
    pq.write_table(nothing, folder / "heldout_requests.parquet")
    verdict = bench.judge()
    assert not verdict.promote
    assert verdict.contenders == ()
    assert verdict.reasons == ["0 users with 0 held-out requests were judged (at least 20 users needed)"]


def small(tmp_path: Path) -> Bench:
    return set_up(tmp_path, World(manifest={"enough": False, "shortfall": "12 users, at least 100 are needed"}))


def test_a_baseline_goes_live_where_nothing_is(tmp_path: Path) -> None:
    verdict = small(tmp_path).judge()
    assert verdict.promote
    assert verdict.reasons == [
        "no model was trained: 12 users, at least 100 are needed; a simple rule, popularity, is judged in its place",
        "2 customers bought merchandise 31 times, 1 times in the held-out weeks",
        "120 of 120 lists of the held-out weeks hold something, and scores order 120",
        "the lists of the held-out weeks hold what was bought: NDCG@10 0.3228",
    ]
    assert verdict.contender("challenger") is not None


def test_a_baseline_does_not_replace_a_live_ranker(tmp_path: Path) -> None:
    bench = small(tmp_path / "small")
    ranker = set_up(tmp_path / "ranker")
    replace(ranker, home=bench.home).make_champion()
    verdict = bench.judge()
    assert not verdict.promote
    assert "the live ranker stays" in verdict.reasons[0]


def test_a_baseline_of_a_shop_without_requests_is_judged_without_numbers(tmp_path: Path) -> None:
    verdict = set_up(tmp_path, World(users=0, manifest={"enough": False})).judge()
    assert verdict.promote
    assert verdict.contenders == ()
    assert verdict.best_baseline is None


def test_the_verdict_names_the_digest_that_was_judged(bench: Bench) -> None:
    evaluated = bench.evaluate()
    assert evaluated.handle.digest == open_bundle(Path(bench.draft.uri)).digest
    assert evaluated.handle.kind == "evaluation"
    assert evaluated.rows_in == 3600
