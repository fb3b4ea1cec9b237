"""Products in the shop's words: titles, categories, brands and prices, aligned with the items that are ranked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.contracts.errors import StoreError
from components.ranking.rows import Floats, ItemRows
from feature_repo.catalogue import CATALOGUE, SIZE, unpack_catalogue
from feature_repo.packed_online_store.client import PackedClient

SEPARATOR = " / "
NONE = -1
LARGEST = float(np.finfo(np.float32).max)
UNREADABLE = (StoreError, OSError, pa.ArrowException, LookupError, ValueError)

Mask = NDArray[np.bool_]
Codes = NDArray[np.int32]
Path = tuple[str, ...]
"""A category by its levels, widest first."""


@dataclass(frozen=True)
class Words:
    """A word for every item: ``codes`` int32 [items] into ``known``; -1 where there is none."""

    codes: Codes
    known: tuple[str, ...]

    def of(self, position: int) -> str | None:
        """The word of an item."""
        code = int(self.codes[position])
        return None if code == NONE else self.known[code]

    def chosen(self, codes: Collection[int]) -> Mask:
        """Items whose word is among those of some codes."""
        table = np.zeros(len(self.known) + 1, dtype=bool)  # the last place stands for NONE
        table[list(codes)] = True
        return table[self.codes]


@dataclass(frozen=True)
class Catalogue:
    """What the shop calls its products; everything is aligned with ``ItemRows``: position i is item i.

    ``categories`` are whole paths, widest level first, joined by " / ", whose levels stand in ``paths``, aligned with
    the words; ``prices`` float32 [items], NaN for unknown.
    """

    titles: pa.Array
    categories: Words
    paths: tuple[Path, ...]
    brands: Words
    prices: Floats
    trouble: str | None = None  # why the words could not be read; ids stand for them

    def title(self, position: int) -> str:
        """What people call an item: its title, else its finest category and size, else its id."""
        return str(self.titles[position].as_py())

    def matching(
        self, categories: Collection[str | Path] = (), brands: Collection[str] = (), max_price: float | None = None
    ) -> Mask:
        """Items that a caller's filters let through, bool [items]; what is not given limits nothing.

        A category is named by one level of its path or by the path down to a level, as text or level by level; an
        unknown name matches nothing.
        """
        mask = np.ones(len(self.prices), dtype=bool)
        if categories:
            mask &= self.categories.chosen({code for name in categories for code in self._below.get(name, ())})
        if brands:
            mask &= self.brands.chosen({self._brand_codes[name] for name in brands if name in self._brand_codes})
        if max_price is not None:
            mask &= self.prices <= min(max_price, LARGEST)  # beyond it no price can be told
        return mask

    def sections(self, among: Mask) -> tuple[str, ...]:
        """Names of the widest categories of some items (bool [items]), sorted."""
        codes = np.unique(self.categories.codes[among])
        return tuple(sorted({self.paths[code][0] for code in codes if code != NONE}))

    @cached_property
    def _below(self) -> dict[str | Path, list[int]]:
        codes: dict[str | Path, list[int]] = {}
        for code, path in enumerate(self.paths):
            down_to = [path[: depth + 1] for depth in range(len(path))]
            names: set[str | Path] = {*path, *down_to, *map(SEPARATOR.join, down_to)}
            for name in names:
                codes.setdefault(name, []).append(code)
        return codes

    @cached_property
    def _brand_codes(self) -> dict[str, int]:
        return {brand: code for code, brand in enumerate(self.brands.known)}


def read_catalogue(client: PackedClient, items: ItemRows, advice: str) -> Catalogue:
    """Read the words of the ranked items from the store; without them, ids stand for titles.

    ``advice`` says what brings the words into a store that has none.
    """
    trouble = None
    try:
        content = client.catalogue()
        if content is None:
            raise StoreError(f"{client.backend.url}: found no catalogue; {advice}")
        rows = _rows_of(items.item_ids, unpack_catalogue(content))
    except UNREADABLE as error:
        trouble = f"titles and categories cannot be read, ids stand for them: {error}"
        rows = _rows_of(items.item_ids, CATALOGUE.empty_table())
    usual = items.columns.get("price", np.full(len(items), np.nan, dtype=np.float32))
    listed = pc.fill_null(rows["price"], np.nan).to_numpy(zero_copy_only=False).astype(np.float32)
    codes, paths = _paths(rows)
    categories = Words(codes, tuple(map(SEPARATOR.join, paths)))
    return Catalogue(
        titles=_titles(rows, codes, paths, items.item_ids),
        categories=categories,
        paths=paths,
        brands=_words(rows["brand"]),
        prices=np.where(np.isnan(listed), usual, listed),
        trouble=trouble,
    )


def _rows_of(item_ids: NDArray[np.object_], table: pa.Table) -> pa.Table:
    """The row of every item, in the order of the ids; nulls for an item that has none."""
    ids = pa.array(item_ids, pa.string())
    return table.take(pc.index_in(ids, value_set=table["item_id"].combine_chunks())).combine_chunks()


def _titles(rows: pa.Table, codes: Codes, paths: Sequence[Path], item_ids: NDArray[np.object_]) -> pa.Array:
    title = pc.utf8_trim_whitespace(rows["title"])
    named = pc.if_else(pc.equal(title, ""), None, title)
    finest = _taken([path[-1] for path in paths], codes)
    sized = pc.binary_join_element_wise(finest, _sizes(rows), ", ")
    return pc.coalesce(named, sized, finest, pa.array(item_ids, pa.string())).combine_chunks()


def _sizes(rows: pa.Table) -> pa.ChunkedArray:
    sizes = rows["sizes"]
    names = {name for chunk in sizes.chunks for name in pc.unique(chunk.keys).to_pylist()}
    return pc.map_lookup(sizes, query_key=min(names, default=SIZE), occurrence="first")


def _paths(rows: pa.Table) -> tuple[Codes, tuple[Path, ...]]:
    """Return the distinct category paths, and which of them each item has."""
    known: dict[Path, int] = {}
    codes = [known.setdefault(tuple(path), len(known)) if path else NONE for path in rows["category"].to_pylist()]
    return np.array(codes, dtype=np.int32), tuple(known)


def _words(column: pa.ChunkedArray) -> Words:
    encoded = column.combine_chunks().dictionary_encode()
    codes = pc.fill_null(encoded.indices, NONE).to_numpy(zero_copy_only=False).astype(np.int32)
    return Words(codes, tuple(encoded.dictionary.to_pylist()))


def _taken(words: Sequence[str], codes: Codes) -> pa.Array:
    return pa.array(words, pa.string()).take(pa.array(codes, mask=codes == NONE))
