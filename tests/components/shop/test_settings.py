"""A right shop file is read; a wrong one gets one error that names the key, what was found and what is expected."""

from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.shop.reference import REFERENCE, page_with_reference
from components.shop.settings import Shop, load_shop

SHOPS = Path(__file__).parents[3] / "pipelines" / "shops"
EVENTS = """
[[events]]
name = "purchases"
event_type = "purchase"
source = { kind = "csv", path = "purchases.csv" }
columns = { user = "customer", item = "article", time = "bought_at" }
"""
ITEMS = """
[items]
item = "article"
attributes = ["size", "in_stock"]
source = { kind = "csv", path = "items.csv" }
"""


def load(folder: Path, toml: str) -> Shop:
    path = folder / "shop.toml"
    path.write_text(toml)
    return load_shop(path)


def message(folder: Path, toml: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, toml)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{folder}/shop.toml: ")


def test_the_smallest_shop(tmp_path: Path) -> None:
    shop = load(tmp_path, 'name = "corner"' + EVENTS)

    assert (shop.time_zone, shop.success, shop.horizon_days, shop.k, shop.items) == ("UTC", ("purchase",), 7, 10, None)


def test_relative_paths_start_at_the_shop_file(tmp_path: Path) -> None:
    absolute = EVENTS.replace("purchases.csv", "/data/*.csv").replace('"purchases"', '"old"')
    database = EVENTS.replace('"csv", path = "purchases.csv"', '"sql", url = "sqlite:///shop.db", table = "t"')
    packaged = EVENTS.replace("purchases.csv", "package:a/b.csv").replace('"purchases"', '"bought"')

    shop = load(tmp_path, 'name = "corner"' + EVENTS + absolute + database.replace('"purchases"', '"sql"') + packaged)

    places = [getattr(events.source, "path", None) or getattr(events.source, "url", None) for events in shop.events]
    assert places == [f"{tmp_path}/purchases.csv", "/data/*.csv", f"sqlite:///{tmp_path}/shop.db", "package:a/b.csv"]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("k = 10" + EVENTS, "`name`: found nothing, expected this key; it has no default"),
        ('name = "corner"', "`events`: found nothing, expected this key; it has no default"),
        ('name = "corner"\ntimezone = "UTC"' + EVENTS, "`timezone`: found an unknown key, expected `time_zone`?"),
        ('name = "corner"\nk = "ten"' + EVENTS, "`k`: found 'ten', expected a valid integer"),
        ('name = "corner"\nk = 0' + EVENTS, "`k`: found 0, expected greater than or equal to 1"),
        ('name = "Corner"' + EVENTS, "`name`: found 'Corner', expected"),
        ('name = "corner"\ntime_zone = "Mars"' + EVENTS, "`time_zone`: no time zone is called 'Mars'"),
        ('name = "corner"' + EVENTS.replace("user =", "usr ="), "`events[0].columns.user`: found nothing"),
        ('name = "corner"' + EVENTS.replace('"csv"', '"excel"'), "`events[0].source.kind`: found 'excel', expected"),
        ('name = "corner"' + EVENTS.replace('"bought_at"', "3"), "`events[0].columns.time`: found 3, expected a valid"),
        ('name = "corner"' + EVENTS.replace("path", "url"), "`events[0].source`: a source of kind `csv` needs `path`"),
        ('name = "corner"' + EVENTS.replace('kind = "csv", ', ""), "`events[0].source.kind`: found nothing, expected"),
        ('name = "corner"' + EVENTS.replace("path =", 'table = "t", path ='), "`table` is a key of `sql` sources"),
        ('name = "corner"' + EVENTS.replace("path =", 'pathh = "t", path ='), "source.pathh`: found an unknown key"),
        ('name = "corner"' + EVENTS.replace('"csv"', '"feedback"'), "expected 'parquet', 'csv', 'delta' or 'sql'"),
        ('name = "corner"' + EVENTS.replace("event_type", "#"), "`events[0]`: give either `event_type`"),
        ('name = "corner"' + EVENTS + EVENTS, "two sources of events are called 'purchases'"),
        ('name = "corner"' + EVENTS + "[gate]\nconfidence = 2", "`gate.confidence`: found 2, expected less than 1"),
        ('name = "corner"' + EVENTS + '[rules.not_merchandise]\nkind = ["x"]', "found the column 'kind', expected one"),
        ('name = "corner"' + EVENTS + ITEMS + '[rules]\nin_stock_only = "in"', "found 'in', expected one of items."),
        ('name = "corner"' + EVENTS + '[rules]\nin_stock_only = "in_stock"', "items.attributes (there are none)"),
    ],
)  # fmt: skip
def test_a_wrong_file_gets_one_clear_error(tmp_path: Path, toml: str, said: str) -> None:
    assert said in message(tmp_path, toml)


def test_several_mistakes_are_the_first_and_a_count(tmp_path: Path) -> None:
    assert message(tmp_path, 'name = "corner"\nk = 0\nhorizon_days = "x"' + EVENTS).endswith("(and 1 more)")


@pytest.mark.parametrize(
    ("calendar", "said"),
    [
        ('starts = "a"', "`starts` and `ends` belong together"),
        ('period = "week"', "`period` and `first_period` belong together"),
        ('starts = "a"\nends = "b"\nperiod = "week"', "give either `starts` and `ends`, or `period`"),
        ("", "give either `starts` and `ends`, or `period`"),
        ('period = "week"\nfirst_period = "spring"', "spring"),
    ],
)
def test_promotions_have_one_calendar(tmp_path: Path, calendar: str, said: str) -> None:
    promotions = f'[promotions]\nitem = "i"\nsource = {{ kind = "csv", path = "p.csv" }}\n{calendar}\n'

    assert said in message(tmp_path, 'name = "corner"' + EVENTS + promotions)


def test_what_is_no_shop_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such shop file"):
        load_shop(tmp_path / "nowhere.toml")
    assert "this is not TOML" in message(tmp_path, "name = ")


@pytest.mark.parametrize("path", sorted(SHOPS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shops_that_ship_are_right(path: Path) -> None:
    assert load_shop(path).name == path.stem


def test_the_reference_is_the_one_that_the_settings_types_give() -> None:
    page = REFERENCE.read_text(encoding="utf-8")

    assert page == page_with_reference(page), "run python -m components.shop.reference"
