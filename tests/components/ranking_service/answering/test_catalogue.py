"""Products in the shop's words, and the filters that callers name by them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.materialize_features.catalogue import catalogue_of
from components.ranking.rows import ItemRows
from components.ranking_service.answering.catalogue import Catalogue, read_catalogue
from feature_repo.catalogue import pack_catalogue
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.clock import wall_clock
from tests.components.features.frames import clean_tables, on

RANKED = ("apple", "beer", "cola", "unheard")
LISTED: list[dict[str, Any]] = [
    {"item_id": "cola", "category": ["DRINKS", "SODA"], "attributes": [("maker_id", "7"), ("pack_size", "2 L")]},
    {"item_id": "apple", "title": "Old apple", "category": ["FRUIT"], "valid_from": on(1), "price": 9.0},
    {"item_id": "apple", "title": "Red apple", "category": ["FRUIT"], "valid_from": on(5), "price": 1.0, "brand": "X"},
    {"item_id": "apple", "title": "No date apple", "category": ["FRUIT"]},
    {"item_id": "beer", "title": " ", "category": ["DRINKS", "ALES"], "brand": "Y"},
    {"item_id": "not ranked", "title": "Zebra", "category": ["ZOO"]},
]


def ranked(**columns: list[float]) -> ItemRows:
    numbers = {name: np.array(values, dtype=np.float32) for name, values in columns.items()}
    return ItemRows(np.array(RANKED, dtype=object), np.arange(len(RANKED), dtype=np.int32), numbers, {})


@pytest.fixture
def client(tmp_path: Path) -> Iterator[PackedClient]:
    store = PackedClient.open(f"lmdb://{tmp_path}/online", project="p", revision="r", clock=wall_clock)
    yield store
    store.close()


def stored(client: PackedClient, listed: list[dict[str, Any]], **columns: list[float]) -> Catalogue:
    """Put items into the store, and read the words of the ranked ones."""
    client.set_catalogue(pack_catalogue(catalogue_of(clean_tables([], listed)["items"])))
    return read_catalogue(client, ranked(**columns), "run again")


@pytest.fixture
def catalogue(client: PackedClient) -> Catalogue:
    return stored(client, LISTED, price=[5.0, 3.0, np.nan, np.nan])


def titles(catalogue: Catalogue) -> list[str]:
    return [catalogue.title(position) for position in range(len(RANKED))]


def test_a_product_is_called_by_its_newest_title_else_by_its_kind_and_size_else_by_its_id(catalogue: Catalogue) -> None:
    assert titles(catalogue) == ["Red apple", "ALES", "SODA, 2 L", "unheard"]


def test_categories_are_paths_and_brands_are_names(catalogue: Catalogue) -> None:
    assert [catalogue.categories.of(place) for place in range(4)] == ["FRUIT", "DRINKS / ALES", "DRINKS / SODA", None]
    assert [catalogue.brands.of(place) for place in range(4)] == ["X", "Y", None, None]
    assert catalogue.sections(np.ones(4, dtype=bool)) == ("DRINKS", "FRUIT")
    assert catalogue.sections(np.array([False, True, True, True])) == ("DRINKS",)


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ({}, ["apple", "beer", "cola", "unheard"]),
        ({"categories": ["DRINKS"]}, ["beer", "cola"]),
        ({"categories": ["SODA"]}, ["cola"]),
        ({"categories": ["DRINKS / ALES", "FRUIT"]}, ["apple", "beer"]),
        ({"categories": [("DRINKS",), ("DRINKS", "ALES", "PALE")]}, ["beer", "cola"]),
        ({"categories": [("DRINKS", "ALES")]}, ["beer"]),
        ({"categories": [("ALES",)]}, []),  # a path begins with the widest level
        ({"categories": ["nothing of the kind"]}, []),
        ({"brands": ["X", "Z"]}, ["apple"]),
        ({"max_price": 3.0}, ["apple", "beer"]),  # the catalogue's price, else the usual one; unknown is none
        ({"max_price": 1e308}, ["apple", "beer"]),
        ({"categories": ["DRINKS"], "brands": ["X"]}, []),
    ],
)
def test_filters_name_what_is_let_through(catalogue: Catalogue, filters: dict[str, Any], left: list[str]) -> None:
    assert [RANKED[place] for place in np.flatnonzero(catalogue.matching(**filters))] == left


def test_categories_whose_names_hold_the_separator_are_distinct(client: PackedClient) -> None:
    paths = {"apple": ["Home / Garden", "Tools"], "beer": ["Home", "Garden / Tools"], "cola": ["Home", "Garden"]}
    catalogue = stored(client, [{"item_id": item, "category": path} for item, path in paths.items()])

    def left(*names: str | tuple[str, ...]) -> list[str]:
        return [RANKED[place] for place in np.flatnonzero(catalogue.matching(names))]

    assert [catalogue.categories.of(place) for place in (0, 1)] == ["Home / Garden / Tools"] * 2
    assert (left(("Home / Garden", "Tools")), left(("Home", "Garden / Tools"))) == (["apple"], ["beer"])
    assert (left(("Home",)), left(("Home / Garden",))) == (["beer", "cola"], ["apple"])
    assert catalogue.sections(np.ones(4, dtype=bool)) == ("Home", "Home / Garden")
    assert titles(catalogue) == ["Tools", "Garden / Tools", "Garden", "unheard"]


def test_of_an_empty_catalogue_ids_stand_for_titles(client: PackedClient) -> None:
    catalogue = stored(client, [])
    assert titles(catalogue) == list(RANKED)
    assert catalogue.trouble is None
    assert catalogue.sections(np.ones(4, dtype=bool)) == ()
    assert not catalogue.matching(categories=["DRINKS"]).any()
    assert not catalogue.matching(max_price=1e9).any()


@pytest.mark.parametrize("content", [None, b"", b"no Arrow", bytes(64)])
def test_a_store_without_words_is_said_and_ids_stand_for_titles(client: PackedClient, content: bytes | None) -> None:
    if content is not None:
        client.set_catalogue(content)
    catalogue = read_catalogue(client, ranked(), "run again")
    assert titles(catalogue) == list(RANKED)
    assert "ids stand for them" in str(catalogue.trouble)
