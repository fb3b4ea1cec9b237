"""The made-up shop as a real one would hand it over: Parquet and CSV files, and the shop file beside them."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.shops.synthetic_shop.behaviour import CART, DAY, NO_REQUEST, PURCHASE, Events, History, Shown
from pipelines.shops.synthetic_shop.world import (
    AGE_GROUPS,
    BRANDS,
    NEVER,
    REGIONS,
    Catalogue,
    Integers,
    World,
    category_paths,
)

FIRST_DAY = datetime(2025, 1, 6)  # a Monday, in the shop's zone
ZONE = ZoneInfo("Europe/Berlin")
KINDS = np.array(["view", "click", "cart", "sale", "refund"])
CHANNELS = ("site", "newsletter")
DELIVERY = "delivery"  # not merchandise: charged with every fifth order
SHOP_FILE = Path(__file__).parents[1] / "synthetic.toml"
Texts = NDArray[np.str_]


def write_files(folder: Path, world: World, history: History) -> Path:
    """Write all sources and a copy of the shop file into a folder; return the path of that shop file."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_browsing(folder / "browsing", history.events)
    pcsv.write_csv(orders(history.events), folder / "orders.csv")
    pcsv.write_csv(items(world.catalogue), folder / "items.csv")
    pcsv.write_csv(users(world), folder / "users.csv")
    pcsv.write_csv(promotions(history.promoted), folder / "promotions.csv")
    pq.write_table(impressions(history.shown), folder / "impressions.parquet")
    pq.write_table(truth(world), folder / "truth.parquet")
    return Path(shutil.copy(SHOP_FILE, folder / SHOP_FILE.name))


def user_ids(positions: Integers) -> Texts:
    """Return the ids of customers by position."""
    return np.char.add("u", np.char.zfill(positions.astype(str), 4))


def item_ids(positions: Integers) -> Texts:
    """Return the ids of items by position."""
    return np.char.add("i", np.char.zfill(positions.astype(str), 4))


def browsing(events: Events) -> pa.Table:
    """Return views, clicks and carts; times are UTC with a zone."""
    keep = events.kind <= CART
    return pa.table(
        {
            "user": user_ids(events.user[keep]),
            "item": item_ids(events.item[keep]),
            "at": _utc(events.second[keep]),
            "action": KINDS[events.kind[keep]],
            "visit": _numbered("v", events.visit[keep]),
            "request": _numbered("r", events.request[keep]),
        }
    )


def orders(events: Events) -> pa.Table:
    """Return sales and refunds, a row an item, and the delivery fee of every fifth order; times are local and naive."""
    keep = events.kind >= PURCHASE
    goods = pa.table(
        {
            "user": user_ids(events.user[keep]),
            "item": item_ids(events.item[keep]),
            "at": _local(events.second[keep]),
            "action": KINDS[events.kind[keep]],
            "units": np.ones(int(keep.sum()), dtype=np.int64),
            "paid": np.round(events.price[keep], 2),
            "visit": _numbered("v", events.visit[keep]),
            "request": _numbered("r", events.request[keep]),
        }
    )
    return pa.concat_tables([goods, _delivery(events, goods.schema)]).sort_by(
        [("at", "ascending"), ("item", "ascending")]
    )


def items(catalogue: Catalogue) -> pa.Table:
    """Return the catalogue, a row each time an item changes: on sale from its launch, and no longer once sold out."""
    ending = np.flatnonzero(catalogue.sold_out != NEVER)
    position = np.concatenate([np.arange(len(catalogue.price)), ending])
    since = np.concatenate([catalogue.launch, catalogue.sold_out[ending]])
    paths = [category_paths()[each] for each in catalogue.category[position]]
    brands = [BRANDS[each] for each in catalogue.brand[position]]
    titles = [
        f"{brand} {category.lower()} no. {each}"
        for brand, (_, category), each in zip(brands, paths, position.tolist(), strict=True)
    ]
    goods = {
        "item": item_ids(position),
        "department": [department for department, _ in paths],
        "category": [category for _, category in paths],
        "brand": brands,
        "price": catalogue.price[position],
        "title": titles,
        "in_stock": np.where(np.arange(len(position)) < len(catalogue.price), "true", "false"),
        "since": _local(since * DAY),
    }
    fee = [DELIVERY, "Service", "Delivery", "", 4.9, "Delivery", "true", FIRST_DAY.isoformat(" ")]
    return pa.table({name: [*column, extra] for (name, column), extra in zip(goods.items(), fee, strict=True)})


def users(world: World) -> pa.Table:
    """Return what is known of customers beside their events."""
    people = world.people
    return pa.table(
        {
            "user": user_ids(np.arange(len(people.joined))),
            "age_group": np.array(AGE_GROUPS)[people.age_group],
            "region": np.array(REGIONS)[people.region],
        }
    )


def promotions(promoted: NDArray[np.bool_]) -> pa.Table:
    """Return a row for each item, week and channel of a promotion; half of them run in one channel only."""
    week, item = np.nonzero(promoted)
    rows = [(w, i, channel) for w, i in zip(week, item, strict=True) for channel in CHANNELS[: 1 + (w + i) % 2]]
    weeks = np.array([row[0] for row in rows], dtype=np.int64)
    return pa.table(
        {
            "item": item_ids(np.array([row[1] for row in rows], dtype=np.int64)),
            "starts": _local(weeks * 7 * DAY),
            "ends": _local((weeks + 1) * 7 * DAY),
            "channel": [row[2] for row in rows],
        }
    )


def impressions(shown: Shown) -> pa.Table:
    """Return what the earlier policy showed, with the probability of showing it there."""
    return pa.table(
        {
            "request": _numbered("r", shown.request),
            "user": user_ids(shown.user),
            "item": item_ids(shown.item),
            "at": _utc(shown.second),
            "position": shown.position.astype(np.int32),
            "score": shown.score,
            "propensity": shown.propensity,
        }
    )


def truth(world: World) -> pa.Table:
    """Return every customer's true utility of every item, in long form."""
    users, items = world.utility.shape
    return pa.table(
        {
            "user": np.repeat(user_ids(np.arange(users)), items),
            "item": np.tile(item_ids(np.arange(items)), users),
            "utility": world.utility.ravel(),
        }
    )


def _write_browsing(folder: Path, events: Events) -> None:
    """Write one file a week, as a shop that exports its log would."""
    folder.mkdir(exist_ok=True)
    table = browsing(events)
    week = events.second[events.kind <= CART] // (7 * DAY)
    for each in np.unique(week):
        pq.write_table(table.filter(pa.array(week == each)), folder / f"week_{each:03d}.parquet")


def _delivery(events: Events, schema: pa.Schema) -> pa.Table:
    """Return the fee once for every order whose visit number can be divided by five."""
    bought = np.flatnonzero((events.kind == PURCHASE) & (events.visit % 5 == 0))
    _, first = np.unique(events.visit[bought], return_index=True)
    paying = bought[first]
    count = len(paying)
    columns = {
        "user": user_ids(events.user[paying]),
        "item": [DELIVERY] * count,
        "at": _local(events.second[paying]),
        "action": [KINDS[PURCHASE]] * count,
        "units": [1] * count,
        "paid": [4.9] * count,
        "visit": _numbered("v", events.visit[paying]),
        "request": pa.nulls(count, pa.string()),
    }
    return pa.table(columns, schema=schema)


def _numbered(prefix: str, numbers: Integers) -> pa.Array:
    texts = pa.array(np.char.add(prefix, np.char.zfill(np.maximum(numbers, 0).astype(str), 7)))
    return pc.if_else(pa.array(numbers == NO_REQUEST), pa.scalar(None, pa.string()), texts)


def _utc(seconds: Integers) -> pa.Array:
    """Return moments in UTC; ``seconds`` count local wall time from the first midnight."""
    local = pa.array(np.datetime64(FIRST_DAY, "us") + seconds.astype("timedelta64[s]"))
    return pc.cast(pc.assume_timezone(local, str(ZONE)), pa.timestamp("us", "UTC"))


def _local(seconds: Integers) -> list[str]:
    return [(FIRST_DAY + timedelta(seconds=int(second))).isoformat(" ") for second in seconds]
