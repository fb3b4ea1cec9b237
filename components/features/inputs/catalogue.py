"""What the catalogue and the customer file said at a moment, with integer codes for their words.

A code is the rank of the word among all words known at the moment, so it depends on nothing that came later.
"""

from datetime import datetime

import ibis
import ibis.expr.types as ir

from components.features.inputs.coded import Coded, since
from components.features.inputs.moment import Moment, microseconds
from components.features.settings import Shape

SEPARATOR = " / "
YES = ("true", "1", "yes")


def valid_at(table: ir.Table, key: str, now: ir.IntegerValue) -> ir.Table:
    """The newest row of each key that held at a moment (microseconds since 1970)."""
    known = table.filter(table.valid_from <= now)
    newest = ibis.row_number().over(group_by=key, order_by=known.valid_from.desc())
    return known.mutate(newest=newest).filter(lambda row: row.newest == 0).drop("newest")


def held_at(table: ir.Table, key: str, at: datetime) -> ir.Table:
    """The newest row of each key of a clean table that held at a moment."""
    dated = table.mutate(valid_from=since(table.valid_from))
    return valid_at(dated, key, ibis.literal(microseconds(at), type="int64"))


def coded_words(words: ir.StringValue, *exact: ir.StringValue) -> ir.FloatingValue:
    """Return codes of words: 0 for the first in alphabetical order; missing stays missing.

    ``exact`` tells words apart that are written alike, such as paths whose parts hold the separator.
    """
    ranks = ibis.dense_rank().over(order_by=[words.isnull(), words, *exact]).cast("float64")
    return ibis.ifelse(words.isnull(), ibis.null("float64"), ranks)


def category_word(category: ir.ArrayValue, level: int) -> ir.StringValue:
    """The category at a level (from 1), named by its whole path; missing where the path is shorter."""
    path, *finer = _parts(category, level)
    for part in finer:
        path = path + SEPARATOR + part
    return path


def exact_path(*parts: ir.StringValue) -> ir.StringValue:
    """Return a path that only equal parts give, whatever they hold: each behind its length."""
    path = ibis.literal("")
    for part in parts:
        path = path + part.length().cast("string") + ":" + part
    return path


def group_words(catalogue: ir.Table, shape: Shape) -> dict[str, tuple[ir.StringValue, ...]]:
    """The groups an item belongs to, as words: its category at every level, its brand, both together."""
    category, brand = catalogue.category, catalogue.brand
    levels = [(category_word(category, level), exact_path(*_parts(category, level))) for level in _levels(shape)]
    finest, exact = levels[-1] if levels else (ibis.null("string"), ibis.null("string"))
    return {
        **{f"category_{level}": words for level, words in zip(_levels(shape), levels, strict=True)},
        "category": (finest, exact),
        "brand": (brand,),
        "branded_category": (finest + SEPARATOR + brand, exact + exact_path(brand)),
    }


def _parts(category: ir.ArrayValue, level: int) -> list[ir.StringValue]:
    return [category[index] for index in range(level)]


def catalogue_at(tables: Coded, moment: Moment, shape: Shape) -> ir.Table:
    """One row a coded item: item, item_id, item_code, merchandise and stock flags, list price, codes of its groups."""
    held = valid_at(tables.catalogue, "item_id", moment.now) if shape.dated_catalogue else tables.catalogue
    rows = tables.items.left_join(held, "item_id").drop("item_id_right")
    merchandise = rows.is_merchandise.fill_null(True)
    if shape.not_merchandise:
        merchandise = merchandise & rows.item_id.notin(shape.not_merchandise)
    columns: dict[str, ir.Value] = {"is_merchandise": merchandise.cast("float64")}
    if shape.in_stock is not None:
        stock = rows.attributes.get(shape.in_stock).lower()
        columns["in_stock"] = stock.isin(YES).fill_null(False).cast("float64")
    codes = {name: coded_words(*words) for name, words in group_words(rows, shape).items()}
    return rows.select("item", "item_id", "item_code", "valid_from", list_price=rows.price, **columns, **codes)


def attributes_at(tables: Coded, moment: Moment, shape: Shape) -> ir.Table:
    """One row a described user: user_id and a code for each attribute."""
    held = valid_at(tables.attributes, "user_id", moment.now)
    codes = {f"attribute_{name}": coded_words(held.attributes.get(name)) for name in shape.user_attributes}
    return held.select("user_id", **codes)


def _levels(shape: Shape) -> range:
    return range(1, shape.category_levels + 1)
