"""The newest words of all products, put into the online store: the service reads them there, and needs no lake."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.contracts.tables import ITEMS
from components.home.layout import Home
from components.lake.tables import open_table
from feature_repo.catalogue import CATALOGUE, is_size, pack_catalogue
from feature_repo.packed_online_store.client import PackedClient

ALWAYS = -(2**62)  # a row without a date held before all others


def put_catalogue(home: Home, client: PackedClient) -> bool:
    """Put the words of the home's clean items into the store, unless they are there; say whether they were not.

    Raises:
        SourceError: the table cannot be read.
        StoreError: the store cannot be read or written.
    """
    content = pack_catalogue(catalogue_of(_clean_items(home)))
    if client.catalogue() == content:
        return False
    client.set_catalogue(content)
    return True


def catalogue_of(items: pa.Table) -> pa.Table:
    """Return the newest row of every item (``ITEMS``) as one of ``CATALOGUE``, by id; of one date the last counts."""
    since = pc.fill_null(items["valid_from"].cast(pa.int64()), ALWAYS).to_numpy()
    ordered = items.take(pa.array(np.argsort(since, kind="stable")))
    places = pa.table({"item_id": ordered["item_id"], "place": pa.array(np.arange(len(ordered)))})
    newest = places.group_by("item_id").aggregate([("place", "max")]).sort_by("item_id")["place_max"]
    chosen = ordered.take(newest)
    return chosen.append_column("sizes", _sizes(chosen["attributes"])).select(CATALOGUE.names)


def _sizes(attributes: pa.ChunkedArray) -> pa.Array:
    """Return the attributes that are sizes."""
    names = {name for chunk in attributes.chunks for name in pc.unique(chunk.keys).to_pylist()}
    kind = CATALOGUE.field("sizes").type
    if not any(map(is_size, names)):
        return pa.nulls(len(attributes), kind)
    rows = [[(name, value) for name, value in row or () if is_size(name)] for row in attributes.to_pylist()]
    return pa.array([row or None for row in rows], kind)


def _clean_items(home: Home) -> pa.Table:
    table = open_table(home.clean / "items")
    return ITEMS.empty_table() if table is None else table.to_pyarrow_table(columns=ITEMS.names).cast(ITEMS)
