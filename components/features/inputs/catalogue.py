"""What the catalogue and the customer file said at a moment, with words as integer codes.

A code is the rank of a word among all words known at the moment, so it depends on nothing that came later.
"""

from datetime import datetime

import ibis
import ibis.expr.types as ir

from components.contracts.moments import microseconds
from components.features.inputs.encoded import EncodedTables, valid_since
from components.features.inputs.moment import Moment
from components.features.settings import FeatureSettings

SEPARATOR = " / "
YES = ("true", "1", "yes")


def rows_valid_at(table: ir.Table, key: str, now: ir.IntegerValue) -> ir.Table:
    """Return the newest row of each key that was valid at a moment (microseconds since 1970)."""
    known = table.filter(table.valid_from <= now)
    recency = ibis.row_number().over(group_by=key, order_by=known.valid_from.desc())
    return known.mutate(recency=recency).filter(lambda row: row.recency == 0).drop("recency")


def clean_rows_valid_at(table: ir.Table, key: str, at: datetime) -> ir.Table:
    """Return the newest row of each key of a clean table that was valid at a moment."""
    dated = table.mutate(valid_from=valid_since(table.valid_from))
    return rows_valid_at(dated, key, ibis.literal(microseconds(at), type="int64"))


def word_codes(words: ir.StringValue, *exact: ir.StringValue) -> ir.FloatingValue:
    """Return codes of words: 0 for the first in alphabetical order; missing stays missing.

    ``exact`` distinguishes words that are written alike, such as paths whose parts hold the separator.
    """
    ranks = ibis.dense_rank().over(order_by=[words.isnull(), words, *exact]).cast("float64")
    return ibis.ifelse(words.isnull(), ibis.null("float64"), ranks)


def category_path(category: ir.ArrayValue, level: int) -> ir.StringValue:
    """Return the category at a level (from 1) as its whole path; missing where the path is shorter."""
    path, *finer = _parts(category, level)
    for part in finer:
        path = path + SEPARATOR + part
    return path


def unambiguous_path(*parts: ir.StringValue) -> ir.StringValue:
    """Return a path that only equal parts give: before each part goes its length."""
    path = ibis.literal("")
    for part in parts:
        path = path + part.length().cast("string") + ":" + part
    return path


def group_names(catalogue: ir.Table, settings: FeatureSettings) -> dict[str, tuple[ir.StringValue, ...]]:
    """Return the groups of an item by name: its category at every level, its brand, and both together."""
    category, brand = catalogue.category, catalogue.brand
    levels = range(1, settings.category_levels + 1)
    paths = [(category_path(category, level), unambiguous_path(*_parts(category, level))) for level in levels]
    finest, exact = paths[-1] if paths else (ibis.null("string"), ibis.null("string"))
    return {
        **{f"category_{level}": path for level, path in zip(levels, paths, strict=True)},
        "category": (finest, exact),
        "brand": (brand,),
        "branded_category": (finest + SEPARATOR + brand, exact + unambiguous_path(brand)),
    }


def _parts(category: ir.ArrayValue, level: int) -> list[ir.StringValue]:
    return [category[index] for index in range(level)]


def catalogue_at(tables: EncodedTables, moment: Moment, settings: FeatureSettings) -> ir.Table:
    """Return one row an item: item, item_id, item_code, merchandise and stock flags, list price, group codes."""
    valid = rows_valid_at(tables.catalogue, "item_id", moment.now) if settings.dated_catalogue else tables.catalogue
    rows = tables.items.left_join(valid, "item_id").drop("item_id_right")
    merchandise = rows.is_merchandise.fill_null(True)
    if settings.not_merchandise:
        merchandise = merchandise & rows.item_id.notin(settings.not_merchandise)
    columns: dict[str, ir.Value] = {"is_merchandise": merchandise.cast("float64")}
    if settings.in_stock is not None:
        stock = rows.attributes.get(settings.in_stock).lower()
        columns["in_stock"] = stock.isin(YES).fill_null(False).cast("float64")
    codes = {group: word_codes(*words) for group, words in group_names(rows, settings).items()}
    return rows.select("item", "item_id", "item_code", "valid_from", list_price=rows.price, **columns, **codes)


def attributes_at(tables: EncodedTables, moment: Moment, settings: FeatureSettings) -> ir.Table:
    """Return one row a user with attributes: user_id and a code for each attribute."""
    valid = rows_valid_at(tables.attributes, "user_id", moment.now)
    codes = {f"attribute_{name}": word_codes(valid.attributes.get(name)) for name in settings.user_attributes}
    return valid.select("user_id", **codes)
