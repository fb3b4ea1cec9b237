"""Draft and judge a challenger on small examples."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from components.bundles.loading import open_bundle
from components.bundles.promotion import promote
from components.bundles.store import publish_folder
from components.contracts.handles import Handle
from components.contracts.ranking_examples import Split, read_manifest, read_split, write_manifest
from components.contracts.steps.declared import StepResult
from components.contracts.tables import EVENTS
from components.contracts.verdict import Check, Verdict, read_verdict
from components.evaluate_ranker.evaluation import evaluate_ranker
from components.evaluate_ranker.future_poison import LeakProbe
from components.home.layout import Home
from components.shop.settings import Shop
from components.train_ranker.training import train_ranker
from tests.components.train_ranker.synthetic_examples import World, small_shop, write_examples, write_split

NO_LEAK = LeakProbe(requests=10, values=400, changed=0)
ORDERED = Check("lists", True, "9 of 9 lists hold something")
HELDOUT_START = datetime(2024, 5, 20, tzinfo=UTC)
NOW = "2024-06-03T02:00:00+00:00"


@dataclass(frozen=True)
class Bench:
    """A home with examples and a draft trained on them."""

    home: Home
    shop: Shop
    examples: Handle
    draft: Handle
    found: LeakProbe | None = NO_LEAK  # what the future-value poison finds
    now: Check = ORDERED  # what lists of the present moment are worth

    def judge(self, shop: Shop | None = None, draft: Handle | None = None) -> Verdict:
        return read_verdict(Path(self.evaluate(shop, draft).handle.uri).read_bytes())

    def evaluate(self, shop: Shop | None = None, draft: Handle | None = None) -> StepResult[Any]:
        draft, shop = draft or self.draft, shop or self.shop
        return evaluate_ranker(
            shop,
            self.home,
            Handle("features", "set", {}),
            self.examples,
            draft,
            "local",
            "run-2",
            lambda _: None,
            probe=lambda *_: self.found,
            current=lambda *_: self.now,
        )

    def with_gate(self, **changes: Any) -> Shop:
        return self.shop.model_copy(update={"gate": self.shop.gate.model_copy(update=changes)})

    def make_champion(self, draft: Handle | None = None, **sidecar: str) -> str:
        """Publish and promote a draft, by default the challenger itself."""
        bundle = open_bundle(Path((draft or self.draft).uri))
        judged = replace(bundle.sidecar, verdict={"promote": True, "checks": []}, **sidecar)
        sealed = publish_folder(self.home.models, bundle, judged)
        promote(self.home, self.shop.name, sealed.digest, "local", NOW)
        return sealed.digest

    def redraw(self, name: str, **parts: Any) -> None:
        """Replace matrices or tables of a split on disk."""
        split = read_split(Path(self.examples.uri), name)
        whole = {"features": np.array(split.features), "baselines": np.array(split.baselines)} | parts
        write_split(Path(self.examples.uri), name, replace(split, **whole))

    def heldout(self) -> Split:
        return read_split(Path(self.examples.uri), "heldout")

    def amend_manifest(self, **changes: Any) -> None:
        folder = Path(self.examples.uri)
        write_manifest(folder, replace(read_manifest(folder), **changes))


def sale(item: str, days_before_heldout: float = 5.0, **changes: Any) -> dict[str, Any]:
    """One row of the clean events: somebody bought an item."""
    at = HELDOUT_START - timedelta(days=days_before_heldout)
    row = {"event_time": at, "available_at": at, "user_id": "ann", "item_id": item, "event_type": "purchase"}
    return row | changes


def write_sales(home: Home, sales: list[dict[str, Any]]) -> int:
    """Replace the clean events and return their version."""
    home.clean.mkdir(parents=True, exist_ok=True)
    write_deltalake(home.clean / "events", pa.Table.from_pylist(sales, EVENTS), mode="overwrite")
    return DeltaTable(home.clean / "events").version()


def set_up(folder: Path, world: World | None = None) -> Bench:
    """Write examples, and sales of all their items, and draft a challenger."""
    home, shop, world = Home(folder / "home"), small_shop(), world or World()
    sold = [sale(f"item-{number:03}") for number in range(world.candidates)]
    version = write_sales(home, [*sold, sale("item-000", days_before_heldout=-3, user_id="bob")])
    examples = replace(write_examples(folder / "examples", world), versions={"events": version})
    return Bench(home, shop, examples, train_ranker(shop, home, examples, "run-1", lambda _: None).handle)


def check(verdict: Verdict, name: str) -> Check:
    return next(one for one in verdict.checks if one.name == name)


def failed(verdict: Verdict) -> set[str]:
    return {one.name for one in verdict.checks if not one.passed}
