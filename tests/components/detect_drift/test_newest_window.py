"""The step on tiny examples: which window it looks at, what it compares, and what it refuses."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from components.bundles.loading import open_bundle
from components.bundles.promotion import promote
from components.bundles.signing.keys import SigningKey
from components.bundles.signing.signer import Signer
from components.bundles.signing.trust import Trust
from components.bundles.store import find_bundle, publish_folder
from components.contracts.errors import BundleError, ConfigurationError, UnverifiedBundleError
from components.contracts.handles import Handle
from components.contracts.ranking_examples import Split, read_split
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import DriftFacts
from components.contracts.tables import EVENTS, ITEMS
from components.detect_drift.newest_window import judge_newest_window
from components.home.layout import Home
from components.shop.settings import Drift, FileSource, ItemSource, Shop
from components.train_ranker.training import train_ranker
from tests.components.bundles.signing.signed_bundles import ORIGIN, key_in
from tests.components.train_ranker.synthetic_examples import AS_OF, World, small_shop, write_examples, write_split

pytestmark = pytest.mark.slow(seconds=15)

DAYS = 84
USERS = 40
DEPARTMENTS = ("Fresh", "Pantry", "Care")
BRANDS = ("Alder", "Birch")
Row = dict[str, object]


def corner_shop(**drift: float) -> Shop:
    """A shop whose catalogue has departments and brands."""
    catalogue = ItemSource(
        item="item", category=("department",), brand="brand", source=FileSource(kind="csv", path="items.csv")
    )
    return small_shop(items=catalogue, drift=Drift(**{"min_users": 20, "page_columns": 0, **drift}))  # type: ignore[arg-type]


def catalogue() -> list[Row]:
    """Every department with every brand, and a garden department that nobody has bought from."""
    departments = [*DEPARTMENTS, "Garden"]
    pairs = [(department, brand) for department in departments for brand in BRANDS]
    return [
        {"item_id": f"{department}-{brand}", "category": [department], "brand": brand} for department, brand in pairs
    ]


def events(item: Callable[[datetime, int], str]) -> list[Row]:
    """Each user buys one item a day."""
    days = [AS_OF - timedelta(days=number, hours=12) for number in range(DAYS)]
    return [
        {"event_time": day, "available_at": day, "user_id": f"user-{user}", "item_id": item(day, user)}
        | {"event_type": "purchase"}
        for day in days
        for user in range(USERS)
    ]


def usual(day: datetime, user: int) -> str:
    number = day.toordinal() + user
    return f"{DEPARTMENTS[number % 3]}-{BRANDS[number % 2]}"


@dataclass(frozen=True)
class Bench:
    """A home whose examples have been trained on."""

    home: Home
    shop: Shop
    examples: Handle

    def publish(self, live: bool = False, verdict: dict[str, object] | None = None) -> str:
        """Train, publish and perhaps promote a bundle; return its digest."""
        draft = train_ranker(self.shop, self.home, self.examples, "run-1", lambda _: None).handle
        bundle = open_bundle(Path(draft.uri))
        sealed = publish_folder(
            self.home.models, bundle, replace(bundle.sidecar, verdict=verdict or {"promote": True, "checks": []})
        )
        if live:
            promote(self.home, self.shop.name, sealed.digest, "local", AS_OF.isoformat())
        return sealed.digest

    def sell(self, item: Callable[[datetime, int], str]) -> "Bench":
        """Replace the events by ones of other items; return the bench that looks at them."""
        table = pa.Table.from_pylist(events(item), schema=EVENTS)
        write_deltalake(self.home.clean / "events", table, mode="overwrite")
        versions = self.examples.versions | {"events": self.examples.versions.get("events", -1) + 1}
        return replace(self, examples=replace(self.examples, versions=versions))

    def sign(self, key: SigningKey, digest: str) -> None:
        """Sign a published bundle."""
        bundle = find_bundle(self.home.models, self.shop.name, digest)
        publish_folder(self.home.models, bundle, bundle.sidecar, Signer(key, ORIGIN))

    def judge(self, days: int | None = None, trust: Trust | None = None) -> StepResult[Any]:
        self.home.run("run-2").mkdir(parents=True, exist_ok=True)
        return judge_newest_window(self.shop, self.home, self.examples, "local", "run-2", lambda _: None, days, trust)


def bench_of(folder: Path, world: World | None = None, **drift: float) -> Bench:
    """A home with clean tables and examples."""
    home = Home(folder / "home")
    home.clean.mkdir(parents=True)
    write_deltalake(home.clean / "items", pa.Table.from_pylist(catalogue(), schema=ITEMS))
    examples = replace(write_examples(folder / "examples", world), versions={"items": 0})
    return Bench(home, corner_shop(**drift), examples).sell(usual)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return bench_of(tmp_path)


def test_an_unchanged_shop_is_stable_and_all_three_tables_are_judged(bench: Bench) -> None:
    digest = bench.publish()
    verdict = bench.judge()
    assert (verdict.facts.verdict, verdict.facts.drifted, verdict.facts.reasons) == ("stable", False, [])
    assert verdict.facts.bundle == verdict.handle.digest == digest
    assert verdict.rows_in == 60 * 30
    report = json.loads(Path(verdict.handle.uri).read_text())
    assert {table["name"]: table["verdict"] for table in report["tables"]} == dict.fromkeys(
        ("features", "predictions", "data"), "stable"
    )
    data = next(table for table in report["tables"] if table["name"] == "data")
    assert [column["column"] for column in data["columns"]] == ["brand", "category_1", "event_type"]
    assert (data["live_rows"], data["reference_rows"]) == (7 * USERS, (DAYS - 14 - 7) * USERS)
    page = bench.home.run("run-2") / "evidently.html"
    assert not page.exists(), "the shop wants no page"
    assert replace(bench, shop=corner_shop(page_columns=3)).judge().facts == verdict.facts
    assert page.is_file()


def sample(facts: DriftFacts, name: str, **labels: str) -> float:
    """The value of the one sample of a metric with these labels."""
    (value,) = (found["value"] for found in facts.metrics[name] if labels.items() <= found.items())
    return float(value)


def new_categories(facts: DriftFacts, column: str) -> float:
    return sample(facts, "rankloop_drift_statistic", table="data", column=column, statistic="new_category_share")


@pytest.mark.parametrize(("days", "start"), [(None, 7), (7, 7), (13, 7), (14, 14)])
def test_the_window_starts_with_its_first_request(bench: Bench, days: int | None, start: int) -> None:
    bench.publish()
    verdict = bench.judge(days)
    assert verdict.facts.window_start == (AS_OF - timedelta(days=start)).isoformat()
    assert sample(verdict.facts, "rankloop_drift_rows", table="data") == start * USERS
    assert verdict.rows_in == 60 * 30 * start // 7


@pytest.mark.parametrize("days", [0, 6, 15])
def test_a_window_that_cannot_be_judged_is_refused(bench: Bench, days: int) -> None:
    bench.publish()
    with pytest.raises(ConfigurationError, match=rf"--window\): found {days} days, expected 7 .* to 14"):
        bench.judge(days)


def test_a_category_that_is_new_alarms_by_its_limit_and_is_named(bench: Bench) -> None:
    bench.publish()

    def gardening(day: datetime, user: int) -> str:
        lately = day > AS_OF - timedelta(days=7)
        return f"Garden-{BRANDS[user % 2]}" if lately and user < 10 else usual(day, user)

    verdict = bench.sell(gardening).judge()
    assert verdict.facts.drifted
    (reason,) = verdict.facts.reasons
    assert reason.startswith("data.category_1: ")
    assert "25.0% of rows have a category that the reference does not know" in reason
    assert reason.endswith("'Garden' 25.0%")
    assert new_categories(verdict.facts, "category_1") == 0.25
    assert new_categories(verdict.facts, "brand") == 0
    lenient = replace(bench.sell(gardening), shop=corner_shop(new_categories=0.3, psi=50))
    assert lenient.judge().facts.verdict == "stable"


def test_a_brand_that_is_gone_alarms_and_is_named(bench: Bench) -> None:
    bench.publish()
    verdict = bench.sell(lambda day, user: usual(day, user).replace("Birch", "Alder")).judge()
    (reason,) = verdict.facts.reasons
    assert "data.brand: " in reason
    assert "categories of 50.0% of the reference's rows vanished (limit 5.0%): 'Birch' 50.0%" in reason


def test_moved_features_and_scores_alarm(bench: Bench) -> None:
    bench.publish()
    split = read_split(Path(bench.examples.uri), "heldout")
    moved = Split(np.array(split.features) + 3, np.array(split.baselines), split.rows, split.requests)
    write_split(Path(bench.examples.uri), "heldout", moved)
    reasons = " ".join(bench.judge().facts.reasons)
    assert "features.taste" in reasons
    assert "predictions.score" in reasons


def test_quality_is_held_against_what_the_bundle_was_judged_with(bench: Bench) -> None:
    contenders = [{"name": "challenger", "ndcg": {"mean": 0.99, "low": 0.98, "high": 1.0}}]
    bench.publish(verdict={"promote": True, "checks": [], "contenders": contenders})
    other_k = replace(bench, shop=bench.shop.model_copy(update={"k": 3}))
    (reason,) = other_k.judge().facts.reasons
    assert reason.startswith("quality: NDCG@10 0.9900 → 0.")
    assert "over 60 users; the fall is at least 0." in reason
    assert "over 60 users" in bench.judge(14).facts.reasons[0]  # two requests of each


def test_by_default_a_window_of_few_users_is_not_judged_and_one_of_many_rows_a_user_is(tmp_path: Path) -> None:
    least = Drift().min_users
    few = bench_of(tmp_path / "few", World(users=least // 2), min_users=least)
    few.publish()
    found = few.judge().facts
    assert (found.verdict, found.drifted) == ("too_small", False)
    assert "features: the live window is too small to judge: " in " ".join(found.reasons)
    assert all(reason.endswith(f" users, at least {least} are needed") for reason in found.reasons)
    many = bench_of(tmp_path / "many", World(users=3 * least), min_users=least)
    many.publish()
    assert sample(many.judge().facts, "rankloop_drift_table_verdict", table="features") == 0


def test_the_live_bundle_is_the_reference_and_otherwise_the_last_one_that_is_accepted(
    bench: Bench, tmp_path: Path
) -> None:
    with pytest.raises(BundleError):
        bench.judge()
    live = bench.publish(live=True)
    training = bench.shop.training.model_copy(update={"learning_rate": 0.3})
    other = replace(bench, shop=bench.shop.model_copy(update={"training": training})).publish()
    assert other != live
    assert bench.judge().facts.bundle == live
    key = key_in(tmp_path / "keys")
    trust = Trust((key.public,), True, "local")
    with pytest.raises(UnverifiedBundleError, match=r"model\.sig: is missing"):
        bench.judge(trust=trust)
    (bench.home.environments / "local.json").unlink()
    assert bench.judge().facts.bundle == other
    promote(bench.home, bench.shop.name, live, "local", AS_OF.isoformat())
    bench.sign(key, other)
    assert bench.judge(trust=trust).facts.bundle == other
    bench.sign(key, live)
    assert bench.judge(trust=trust).facts.bundle == live


def test_without_a_catalogue_only_the_kinds_of_events_are_watched(tmp_path: Path) -> None:
    bench = replace(bench_of(tmp_path), shop=corner_shop().model_copy(update={"items": None}))
    bench.publish()
    facts = bench.judge().facts
    assert sample(facts, "rankloop_drift_columns", table="data", verdict="stable") == 1
    assert sample(facts, "rankloop_drift_statistic", table="data", column="event_type", statistic="psi") == 0
