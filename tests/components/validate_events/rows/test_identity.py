"""Who a row is of: the shop's words for nobody, ids that are too long, codes of types."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.contracts.errors import ContractBreach
from components.home.shop_note import read_nobody
from tests.components.validate_events.purchases import HEADER, LENIENT
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

CODED = PURCHASES.replace('event_type = "purchase"', 'types = { "1" = "view", "2.0" = "purchase" }').replace(
    "item =", 'event_type = "kind", item ='
)
WITH_USERS = '[users]\nuser = "id"\nsource = { kind = "csv", path = "people.csv" }\n'


def test_the_usual_words_for_nobody_are_no_user(tmp_path: Path) -> None:
    users = ["NA", r"\N", "undefined", "(null)", "#N/A", "-", "Null", "a"]
    shop = shop_folder(tmp_path, purchases=HEADER + "".join(f"{user},1,2024-03-01\n" for user in users))

    shop.validate()

    assert [row["user_id"] for row in shop.clean()] == ["a", *[None] * 7]


def test_a_shop_names_more_words_for_nobody_without_reading_its_files_again(tmp_path: Path) -> None:
    rows = HEADER + "Guest,1,2024-03-01\n0.0,1,2024-03-02\na,1,2024-03-03\n"
    shop = shop_folder(tmp_path, PURCHASES + WITH_USERS, purchases=rows, people="id\nguest\na\n")
    shop.validate()
    assert {row["user_id"] for row in shop.clean()} == {"Guest", "0", "a"}
    shop.write("shop.toml", PURCHASES + WITH_USERS + '[contract]\nno_user = ["0", "guest"]\n')

    report = shop.validate()

    assert [row["user_id"] for row in shop.clean()] == ["a", None, None]
    assert report.facts.new["events"].without_user == 2
    assert [row["user_id"] for row in shop.clean("users")] == ["a"]
    assert read_nobody(shop.home) == {"0", "guest"}


@pytest.mark.parametrize("blank", ["\t", "\u200b", "\ufeff", "\xa0", "\n"])
def test_blanks_around_ids_make_no_other_ids(tmp_path: Path, blank: str) -> None:
    shop = shop_folder(tmp_path, purchases=HEADER + f'a,1,2024-03-01\n"{blank}a","1{blank}",2024-03-02\n')

    shop.validate()

    assert [(row["user_id"], row["item_id"]) for row in shop.clean()] == [("a", "1")] * 2


def test_ids_up_to_256_characters_are_taken_and_longer_ones_are_set_aside(tmp_path: Path) -> None:
    rows = HEADER + f"{'ü' * 256},{'i' * 256},2024-03-01\na,{'i' * 257},2024-03-02\n{'u' * 257},1,2024-03-03\n"
    shop = shop_folder(tmp_path, PURCHASES + LENIENT, purchases=rows + 'a,"1\n2",2024-03-04\n')

    shop.validate()

    assert [(row["user_id"], row["item_id"]) for row in shop.clean()] == [("ü" * 256, "i" * 256)]
    assert shop.reasons() == [
        "item id longer than 256 characters",
        "unreadable item (a line break or control character inside)",
        "user id longer than 256 characters",
    ]


def coded(folder: Path, kinds: pa.Array, settings: str = "") -> ShopFolder:
    shop = shop_folder(folder, CODED.replace("csv", "parquet") + settings)
    rows = len(kinds)
    columns = {"customer": ["a"] * rows, "article": ["1"] * rows, "bought_at": ["2024-03-01"] * rows}
    pq.write_table(pa.table(columns | {"kind": kinds}), folder / "purchases.parquet")
    return shop


@pytest.mark.parametrize("kind", [pa.int8(), pa.float64(), pa.string(), pa.decimal128(22, 2)])
def test_codes_of_types_are_read_as_ids_are(tmp_path: Path, kind: pa.DataType) -> None:
    shop = coded(tmp_path, pa.array([1, 2]).cast(kind))

    shop.validate()

    assert [row["event_type"] for row in shop.clean()] == ["purchase", "view"]


def test_types_that_are_not_understood_are_named_and_counted(tmp_path: Path) -> None:
    kinds = pa.array(["1", *["3"] * 12, *["refund"] * 8, None])
    shop = coded(tmp_path, kinds)

    with pytest.raises(ContractBreach, match=r"'3' 12 times, 'refund' 8 times, 'nothing' 1 times; `events.types`"):
        shop.validate()

    shop.write("shop.toml", CODED.replace("csv", "parquet") + LENIENT)
    facts = shop.validate().facts
    assert facts.new["events"].values == {"unknown event type": [("3", 12), ("refund", 8), ("nothing", 1)]}
    assert {json.loads(row)["event_type"] for _, row in shop.quarantine()} == {"3", "refund", None}


def test_items_excluded_by_an_id_are_excluded_however_it_is_written(tmp_path: Path) -> None:
    settings = '\n[rules.not_merchandise]\nitem = [" 7.0"]\n'
    shop = shop_folder(tmp_path, PURCHASES + settings, purchases=HEADER + "a,7,2024-03-01\n")

    assert shop.shop().rules.not_merchandise == {"item": ("7",)}
