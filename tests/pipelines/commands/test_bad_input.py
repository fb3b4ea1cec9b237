"""What users get wrong, from the command line: one clear line, the right exit code, and nothing lost."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from components.home.layout import Home
from tests.pipelines.homes.tiny_shop import make_tiny_shop, rankloop, the_one_line

pytestmark = pytest.mark.slow(seconds=30)

Ended = subprocess.CompletedProcess[str]


@pytest.fixture
def shop_file(tmp_path: Path) -> Path:
    return make_tiny_shop(tmp_path / "shop")


def run(shop_file: Path, *words: str) -> Ended:
    return rankloop("run", "--shop", shop_file, "--home", home_of(shop_file).root, "--json", *words)


def home_of(shop_file: Path) -> Home:
    return Home(shop_file.parents[1] / "home")


def change(path: Path, edit: Callable[[str], str]) -> None:
    path.write_text(edit(path.read_text()))


def without_orders(shop_file: Path) -> None:
    shop_file.with_name("orders.csv").unlink()


def without_a_column(shop_file: Path) -> None:
    change(shop_file.with_name("orders.csv"), lambda text: text.replace('"item"', '"article"', 1))


def with_an_unknown_key(shop_file: Path) -> None:
    change(shop_file, lambda text: text + "\n[gait]\nk = 3\n")


def with_a_wrong_value(shop_file: Path) -> None:
    change(shop_file, lambda text: text.replace("min_users = 20", 'min_users = "many"'))


def with_broken_toml(shop_file: Path) -> None:
    change(shop_file, lambda text: text.replace("[rules]", "[rules"))


def without_a_shop_file(shop_file: Path) -> None:
    shop_file.unlink()


def with_an_empty_file(shop_file: Path) -> None:
    change(shop_file.with_name("items.csv"), lambda text: "")


def without_rows(shop_file: Path) -> None:
    change(shop_file.with_name("orders.csv"), lambda text: text.splitlines()[0] + "\n")
    change(shop_file, lambda text: text.replace("browsing/*.parquet", "orders.csv").replace('"parquet"', '"csv"', 1))


@pytest.mark.parametrize(
    ("spoil", "words", "code", "said"),
    [
        (without_a_shop_file, (), 2, "synthetic.toml"),
        (with_broken_toml, (), 2, "synthetic.toml"),
        (with_an_unknown_key, (), 2, "gait"),
        (with_a_wrong_value, (), 2, "gate.min_users"),
        (without_orders, (), 1, "orders.csv"),
        (without_a_column, (), 1, "found no column 'item'"),
        (with_an_empty_file, (), 1, "items: found nothing to read (items.csv is empty)"),
        (without_rows, (), 1, "found no usable event"),
        (lambda shop_file: None, ("--as-of", "1999-01-01"), 1, "found no event known before that moment"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    shop_file: Path, spoil: Callable[[Path], None], words: tuple[str, ...], code: int, said: str
) -> None:
    spoil(shop_file)
    ended = run(shop_file, *words)
    assert said in the_one_line(ended, code)
