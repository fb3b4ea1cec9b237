"""Without evidence nothing goes live, and the verdict gives the true reason."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.bundles.loading import open_bundle
from components.bundles.promotion import promote
from components.bundles.store import publish_folder
from components.contracts.errors import PromotionError
from components.contracts.verdict import Check, Verdict
from components.evaluate_ranker.lists import fault_of
from tests.components.evaluate_ranker.judging import Bench, check, failed, sale, set_up, write_sales
from tests.components.train_ranker.synthetic_examples import World

pytestmark = pytest.mark.slow(seconds=15)

TOO_LITTLE = {"enough": False, "shortfall": "12 users, at least 100 are needed"}
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("request_of_row", "scores", "fault"),
    [
        ([], [], "all are empty"),
        ([9, 9], [1.0, 2.0], "all are empty"),  # rows of a request that did not ask
        ([0, 0, 1, 1], [1.0, 2.0, NAN, 1.0], "1 of 4 scores are not numbers"),
        ([0, 0], [INF, 1.0], "1 of 2 scores are not numbers"),
        ([0, 1], [1.0, 2.0], "none has a second candidate"),
        ([0, 0, 1], [0.0, 0.0, -0.0], "every one of 3 candidates scores 0"),
        ([0, 0, 1, 1], [1.0, 1.0, 2.0, 2.0], "all candidates of a list score alike"),
        ([0, 0, 1, 1], [1.0, 1.0, 2.0, 2.5], None),
        ([0, 0, 9], [0.0, 1.0, NAN], None),
    ],
)
def test_scores_that_order_no_list_are_a_fault(
    request_of_row: list[int], scores: list[float], fault: str | None
) -> None:
    found = fault_of(np.array(request_of_row, dtype=np.int32), np.array(scores), asked=np.array([0, 1, 2]))
    assert (found is None) if fault is None else (found is not None and fault in found)


def small(folder: Path, **world: Any) -> Bench:
    """A bench with too little data for a model."""
    return set_up(folder, World(manifest=TOO_LITTLE, **world))


def redrawn(bench: Bench, rows: int | None = None, **values: float) -> Bench:
    """Keep the first rows of each held-out request, and fill matrices of the split with a value."""
    split = bench.heldout()
    place = split.rows["item_position"].to_numpy()
    kept = np.flatnonzero(place < (len(place) if rows is None else rows))
    parts = {name: np.array(getattr(split, name))[kept] for name in ("features", "baselines")}
    parts |= {name: np.full_like(parts[name], value) for name, value in values.items()}
    bench.redraw("heldout", rows=split.rows.take(pa.array(kept)), **parts)
    return bench


def selling(bench: Bench, *sales: dict[str, Any]) -> Bench:
    return replace(bench, examples=replace(bench.examples, versions={"events": write_sales(bench.home, list(sales))}))


def is_refused(bench: Bench, name: str, reason: str) -> Verdict:
    """Check that exactly one condition does not hold, and why; and that the bundle cannot be promoted by hand."""
    verdict = bench.judge()
    assert not verdict.promote
    assert failed(verdict) == {name}, verdict.reasons
    assert reason in verdict.reasons[0]
    bundle = open_bundle(Path(bench.draft.uri))
    judged = {"promote": verdict.promote, "checks": [{"passed": False, "reason": verdict.reasons[0]}]}
    sealed = publish_folder(bench.home.models, bundle, replace(bundle.sidecar, verdict=judged))
    with pytest.raises(PromotionError) as refused:
        promote(bench.home, bench.shop.name, sealed.digest, "local", "2024-06-03T02:00:00+00:00")
    assert reason in str(refused.value)
    return verdict


@pytest.mark.parametrize("kind", [set_up, small])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rows": 0}, "120 lists of the held-out weeks were looked at: all are empty"),
        ({"rows": 1}, "none has a second candidate"),
        ({"features": 0.0, "baselines": 0.0}, "in the order of the item ids"),
        ({"features": 0.25, "baselines": 0.25}, "all candidates of a list score alike"),
    ],
)
def test_a_challenger_without_lists_is_refused(tmp_path: Path, kind: Any, change: dict[str, Any], reason: str) -> None:
    verdict = redrawn(kind(tmp_path), **change).judge()
    assert not verdict.promote
    assert "lists" in failed(verdict)
    assert reason in check(verdict, "lists").reason
    assert {one.name for one in verdict.contenders} == {"challenger", "popularity", "no_op"}


@pytest.mark.parametrize("value", [NAN, INF])
def test_scores_that_are_not_numbers_are_refused(tmp_path: Path, value: float) -> None:
    is_refused(redrawn(small(tmp_path), baselines=value), "lists", "3,600 of 3,600 scores are not numbers")


def test_a_rule_whose_lists_hold_nothing_that_was_bought_is_refused(tmp_path: Path) -> None:
    bench = small(tmp_path)
    rows = bench.heldout().rows
    bench.redraw("heldout", rows=rows.set_column(3, "label", [np.zeros(len(rows), dtype=np.float32)]))
    is_refused(bench, "hits", "hold nothing that was bought: NDCG@10 0.0000")


def test_where_no_simple_rule_orders_a_list_there_is_no_rival(tmp_path: Path) -> None:
    bench = set_up(tmp_path, World(manifest={"baseline_names": ["popularity", "recent_popularity"]}))
    verdict = is_refused(redrawn(bench, baselines=1.0), "rival", "no simple rule (popularity, recent_popularity)")
    assert verdict.best_baseline is None


def test_one_user_alone_shows_no_noise(tmp_path: Path) -> None:
    bench = set_up(tmp_path)
    requests = bench.heldout().requests
    bench.redraw("heldout", requests=requests.set_column(1, "user_id", [["user-000"] * len(requests)]))
    verdict = replace(bench, shop=bench.with_gate(min_users=1)).judge()
    assert "evidence" in failed(verdict)
    assert "1 users with 120 held-out requests were judged (at least 2 users needed)" in verdict.reasons


def test_one_held_out_week_is_enough_to_judge_on(tmp_path: Path) -> None:
    bench = set_up(tmp_path, World(heldout_weeks=1))
    verdict = bench.judge(bench.with_gate(heldout_horizons=1))
    assert verdict.promote, verdict.reasons


@pytest.mark.parametrize(
    ("sales", "reason"),
    [
        (
            [sale("a", event_type="view"), sale("b", event_type="view"), sale("b", event_type="click")],
            "none of 3 events is a success (purchase, of a quantity above 0): found 1 click, 2 view; name in `success`",
        ),
        ([sale("a", event_type="return")], "none of 1 events is a success"),
        ([sale("a", quantity=0.0), sale("a", quantity=-1.0)], "none of 2 events is a success"),
        ([], "none of 0 events is a success (purchase, of a quantity above 0): found none at all"),
        ([sale("a", user_id=None), sale("b", user_id=None)], "none of 2 successes (purchase) says whose it is"),
        ([sale("a", -1), sale("b", -1)], "all 2 purchases are of one and the same user, expected several"),
        (
            [sale("a"), sale("b", 0.5, user_id="bob")],
            "nobody bought anything in the held-out weeks, 2024-05-20 to 2024-06-03; the newest of 2 purchases is of"
            " 2024-05-19",
        ),
    ],
)
def test_a_rule_that_rests_on_no_purchase_is_refused(tmp_path: Path, sales: list[dict[str, Any]], reason: str) -> None:
    is_refused(selling(small(tmp_path, users=0), *sales), "purchases", reason)


def test_purchases_of_what_is_no_merchandise_are_no_evidence(tmp_path: Path) -> None:
    bench = selling(small(tmp_path, users=0), sale("fee", -1), sale("fee", -2))
    shop = bench.shop.model_copy(
        update={"rules": bench.shop.rules.model_copy(update={"not_merchandise": {"item": ("fee",)}})}
    )
    is_refused(replace(bench, shop=shop), "purchases", "none of 2 successes of known users is of merchandise")


def test_a_new_shop_with_purchases_gets_its_rule_before_anything_can_be_judged(tmp_path: Path) -> None:
    verdict = small(tmp_path, users=0).judge()
    assert verdict.promote
    assert verdict.contenders == ()
    assert verdict.best_baseline is None


def test_a_new_shop_whose_lists_are_empty_now_gets_no_rule(tmp_path: Path) -> None:
    bench = replace(small(tmp_path, users=0), now=Check("lists", False, "7 lists: all are empty"))
    is_refused(bench, "lists", "all are empty")


def live_with(bench: Bench, spoil: str) -> Bench:
    """Make the bench's own draft the champion, and spoil its folder."""
    digest = bench.make_champion()
    folder = bench.home.models / "models" / "rankloop_corner" / digest[7:23]
    if spoil == "gone":
        shutil.rmtree(folder)
    else:
        (folder / spoil).unlink()
        (folder / spoil).mkdir()
    return bench


@pytest.mark.parametrize("spoil", ["gone", "manifest.json", "warmup.npz", "sidecar.json"])
def test_a_champion_that_cannot_be_opened_makes_no_way_for_a_simple_rule(tmp_path: Path, spoil: str) -> None:
    bench = live_with(set_up(tmp_path / "ranker"), spoil)
    rule = replace(small(tmp_path / "small"), home=bench.home)
    verdict = replace(rule, examples=replace(rule.examples, versions=bench.examples.versions)).judge()
    assert not verdict.promote
    assert "what is live stays, for it may be a ranker: the champion" in check(verdict, "enough_data").reason
    assert bench.judge().promote, "a ranker that beats the best simple rule does"


def test_a_champion_whose_scores_order_nothing_is_set_aside(tmp_path: Path) -> None:
    rule = small(tmp_path / "rule")
    bench = set_up(tmp_path / "ranker")
    replace(bench, draft=rule.draft).make_champion()
    baselines = np.array(bench.heldout().baselines)
    baselines[:, 0] = 0
    bench.redraw("heldout", baselines=baselines)
    verdict = bench.judge()
    assert verdict.contender("champion") is None
    assert "set aside: of its held-out lists, every one of 3,600 candidates scores 0" in (verdict.set_aside or "")
