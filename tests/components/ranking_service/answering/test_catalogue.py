"""Products in the shop's words, and the filters that callers name by them."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.home.layout import Home
from components.ranking.rows import ItemRows
from components.ranking_service.answering.catalogue import Catalogue, read_catalogue
from tests.components.build_features.homes import write_clean
from tests.components.features.frames import clean_tables, event, on

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
def home(tmp_path: Path) -> Home:
    write_clean(Home(tmp_path), clean_tables([event(0, "u", "cola")], items=LISTED))
    return Home(tmp_path)


@pytest.fixture
def catalogue(home: Home) -> Catalogue:
    return read_catalogue(home, ranked(price=[5.0, 3.0, np.nan, np.nan]))


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


def test_categories_whose_names_hold_the_separator_are_distinct(tmp_path: Path) -> None:
    paths = {"apple": ["Home / Garden", "Tools"], "beer": ["Home", "Garden / Tools"], "cola": ["Home", "Garden"]}
    items = [{"item_id": item, "category": path} for item, path in paths.items()]
    write_clean(Home(tmp_path), clean_tables([event(0, "u", "cola")], items=items))
    catalogue = read_catalogue(Home(tmp_path), ranked())

    def left(*names: str | tuple[str, ...]) -> list[str]:
        return [RANKED[place] for place in np.flatnonzero(catalogue.matching(names))]

    assert [catalogue.categories.of(place) for place in (0, 1)] == ["Home / Garden / Tools"] * 2
    assert (left(("Home / Garden", "Tools")), left(("Home", "Garden / Tools"))) == (["apple"], ["beer"])
    assert (left(("Home",)), left(("Home / Garden",))) == (["beer", "cola"], ["apple"])
    assert catalogue.sections(np.ones(4, dtype=bool)) == ("Home", "Home / Garden")
    assert titles(catalogue) == ["Tools", "Garden / Tools", "Garden", "unheard"]


def test_without_a_catalogue_ids_stand_for_titles(tmp_path: Path) -> None:
    catalogue = read_catalogue(Home(tmp_path), ranked())
    assert titles(catalogue) == list(RANKED)
    assert catalogue.sections(np.ones(4, dtype=bool)) == ()
    assert not catalogue.matching(categories=["DRINKS"]).any()
    assert not catalogue.matching(max_price=1e9).any()


@pytest.mark.parametrize("broken", ["_delta_log", "rows"])
def test_a_lake_that_cannot_be_read_is_said_and_ids_stand_for_titles(home: Home, broken: str) -> None:
    table = home.clean / "items"
    if broken == "rows":
        for file in table.glob("*.parquet"):
            file.write_bytes(b"not Parquet")
    else:
        shutil.rmtree(table / broken)
        (table / broken).mkdir()
        (table / broken / f"{0:020}.json").write_text("no JSON")
    catalogue = read_catalogue(home, ranked())
    assert titles(catalogue) == list(RANKED)
    assert "ids stand for them" in str(catalogue.trouble)
