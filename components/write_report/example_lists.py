"""Example recommendations: three customers of the run, and the list that its bundle would show each of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from components.contracts.handles import Handle
from components.contracts.recommendations import CustomerExample, PastItem, RecommendedItem
from components.contracts.shop import Shop
from components.ranking.rows import UserRows
from components.write_report import formats
from components.write_report.reasons import STRONGEST, Reasons
from components.write_report.run_outline import Records

PLACES = (0.9, 0.5, 0.1)  # of the customers by trips: a frequent, a usual and a rare one
PAST = 6
ACTIVE_DAYS = 56
Catalogue = Mapping[str, Mapping[str, Any]]


def example_lists(records: Records, shop: Shop) -> tuple[CustomerExample, ...]:
    """Recommend to three customers with the bundle, features and catalogue that the run's handles name.

    Empty where the run did not get that far.

    Raises:
        RankloopError: the bundle or the features are damaged, or do not belong together.
    """
    bundle = _left(records, "publish_bundle", "bundle") or _left(records, "train_ranker", "bundle")
    features, clean = _left(records, "build_features", "features"), _left(records, "validate_events", "clean")
    if bundle is None or features is None or clean is None:
        return ()
    from components.bundles.batch import open_batch
    from components.bundles.loading import open_bundle
    from components.features.sets import read_set

    chosen = read_set(Path(features.uri))
    user_ids = choose_customers(pq.read_table(chosen.newest("user_features"), columns=_NEEDED, partitioning=None))
    batch = open_batch(open_bundle(Path(bundle.uri), bundle.digest), chosen, user_ids, shop.training.threads)
    listed = _lists(batch.recommended(min(shop.k, 10)), len(user_ids))
    past = [_strongest(batch.users, user) for user in range(len(user_ids))]
    own = np.unique(np.concatenate([*past, *(items for items, _ in listed), _seeds(batch.users)])).astype(np.int64)
    catalogue = read_catalogue(clean, [str(item_id) for item_id in batch.items.item_ids[own]])
    titles = {int(item): title(str(batch.items.item_ids[item]), catalogue) for item in own}
    reasons = Reasons(batch.users, batch.items, titles, shop.horizon_days)
    teller = _Teller(batch.users, batch.items.item_ids, catalogue, titles, reasons, chosen.as_of.astimezone(shop.zone))
    return tuple(teller.customer(user, past[user], *listed[user]) for user in range(len(user_ids)))


_NEEDED = ["user_id", "trips", "days_since_last"]


def choose_customers(users: pa.Table) -> list[str]:
    """Choose a frequent, a usual and a rare customer of those who came lately; the same ones for the same rows."""
    bought = users.filter(pc.greater(users["trips"], 0))
    lately = bought.filter(pc.less_equal(bought["days_since_last"], ACTIVE_DAYS))
    ordered = (lately if len(lately) else bought).sort_by([("trips", "ascending"), ("user_id", "ascending")])
    places = dict.fromkeys(int(place * (len(ordered) - 1)) for place in PLACES)
    return [str(ordered["user_id"][place]) for place in places] if len(ordered) else []


def read_catalogue(clean: Handle, item_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Read the catalogue rows of some items as they held at the run's moment, by item id."""
    from components.lake.tables import open_table

    table = open_table(Path(clean.uri) / "items", clean.versions.get("items"))
    if table is None:
        return {}
    wanted = ds.field("item_id").isin(item_ids)
    columns = ["item_id", "category", "brand", "price", "title", "valid_from"]
    rows = table.to_pyarrow_dataset().to_table(columns=columns, filter=wanted).to_pylist()
    held = [row for row in rows if row["valid_from"] is None or row["valid_from"] <= clean.moment]
    first = datetime.min.replace(tzinfo=clean.moment.tzinfo)
    return {row["item_id"]: row for row in sorted(held, key=lambda row: row["valid_from"] or first)}


def title(item_id: str, catalogue: Catalogue) -> str:
    """Return what people read of an item: its title, else its finest category and brand, else its id."""
    row = catalogue.get(item_id, {})
    named = [str(each).strip() for each in (*(row.get("category") or [])[-1:], row.get("brand")) if each]
    text = str(row.get("title") or " · ".join(named) or item_id)
    return text.capitalize() if text.isupper() else text


class _Teller:
    """Puts one customer after another into words."""

    def __init__(
        self,
        users: UserRows,
        item_ids: np.ndarray,
        catalogue: Catalogue,
        titles: Mapping[int, str],
        reasons: Reasons,
        now: datetime,
    ) -> None:
        self.users, self.item_ids, self.catalogue = users, item_ids, catalogue
        self.titles, self.reasons, self.now = titles, reasons, now

    def customer(self, user: int, past: np.ndarray, items: np.ndarray, scores: np.ndarray) -> CustomerExample:
        return CustomerExample(
            user_id=str(self.users.user_ids[user]),
            about=self._about(user),
            history=tuple(self._past(user, int(item)) for item in past),
            items=tuple(
                self._recommended(user, rank, int(item), float(score))
                for rank, (item, score) in enumerate(zip(items, scores, strict=True), start=1)
            ),
        )

    def _about(self, user: int) -> str:
        trips, days = self._column("trips", user), self._column("tenure_days", user)
        different = self._column("distinct_items", user)
        known = f"{formats.count(trips)} {'trip' if trips == 1 else 'trips'} in {max(1, round(days / 7))} weeks"
        return f"{known}, {formats.count(different)} different items" if np.isfinite(different) else known

    def _past(self, user: int, item: int) -> PastItem:
        last = self.now - timedelta(days=self.reasons.days_since(user, item))
        return PastItem(
            str(self.item_ids[item]), self.titles[item], self.reasons.times_bought(user, item), last.date().isoformat()
        )

    def _recommended(self, user: int, rank: int, item: int, score: float) -> RecommendedItem:
        row = self.catalogue.get(str(self.item_ids[item]), {})
        path = row.get("category") or []
        return RecommendedItem(
            rank=rank,
            item_id=str(self.item_ids[item]),
            title=self.titles[item],
            score=score,
            reasons=self.reasons.of(user, item),
            category=" / ".join(path[:2]).capitalize() if path else None,
            brand=row.get("brand"),
            price=row.get("price"),
            new_to_customer=self.reasons.times_bought(user, item) == 0,
        )

    def _column(self, name: str, user: int) -> float:
        return float(self.users.columns[name][user]) if name in self.users.columns else float("nan")


def _left(records: Records, step: str, kind: str) -> Handle | None:
    return records[step].handles.get(kind) if step in records else None


def _lists(parts: list[Any], users: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (items, scores) of each customer, best first."""
    user, rank, item, score = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("user", "rank", "item", "score")
    )
    order = np.lexsort((rank, user))
    return [(item[order][user[order] == each], score[order][user[order] == each]) for each in range(users)]


def _strongest(users: UserRows, user: int, most: int = PAST) -> np.ndarray:
    """Return the items that a customer buys most, by their decayed count."""
    history, strength = users.arrays["history_item"], users.arrays["history_decay_112"]
    row = slice(*history.offsets[user : user + 2])
    best = np.argsort(-strength.values[row].astype(float), kind="stable")[:most]
    return history.values[row][best].astype(np.int64)


def _seeds(users: UserRows) -> np.ndarray:
    """Return the items of which a reason may speak: those that the customers buy most."""
    return np.concatenate([_strongest(users, user, STRONGEST) for user in range(len(users))])
