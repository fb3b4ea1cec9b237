"""The layout of a row depends on its features alone, and says when they change."""

import pyarrow as pa
import pytest

from components.contracts.errors import StoreError
from feature_repo.packed_online_store.arrow_columns import packed_schema
from feature_repo.packed_online_store.backends.backend import HEADER
from feature_repo.packed_online_store.layout import PackedSchema
from feature_repo.packed_online_store.text_lists import decode_list, encode_list

TYPES = {"price": "float32", "orders": "int64", "history": "list<int64>", "brand": "text"}


def test_the_order_of_naming_changes_nothing() -> None:
    reverse = dict(reversed(TYPES.items()))
    assert PackedSchema.of(TYPES) == PackedSchema.of(reverse)
    assert PackedSchema.of(TYPES).hash == PackedSchema.of(reverse).hash


@pytest.mark.parametrize(
    "changed",
    [{**TYPES, "price": "float64"}, {**TYPES, "new": "bool"}, {"cost": "float32", **TYPES}, {"price": "float32"}],
)
def test_every_change_of_the_features_changes_the_hash(changed: dict[str, str]) -> None:
    assert PackedSchema.of(changed).hash != PackedSchema.of(TYPES).hash


def test_the_header_stands_where_the_stores_look_for_it() -> None:
    assert HEADER.itemsize == 48
    assert [HEADER.fields[name][1] for name in ("event_time", "created", "schema")] == [8, 16, 24]


def test_fifteen_floats_take_120_bytes() -> None:
    assert PackedSchema.of({f"f{place}": "float32" for place in range(15)}).dtype.itemsize == 120


def test_the_layout_of_a_release_is_kept() -> None:
    """Rows outlive the process that wrote them: a change of the layout needs another MAGIC and another hash here."""
    assert f"{PackedSchema.of(TYPES).hash:016x}" == "423d90a4b9148fbd"


def test_an_arrow_schema_names_its_types() -> None:
    schema = pa.schema(
        [
            ("user_id", pa.string()),
            ("price", pa.float32()),
            ("orders", pa.int64()),
            ("history", pa.large_list(pa.int64())),
            ("brand", pa.large_string()),
        ]
    )
    assert packed_schema(schema, exclude=["user_id"]) == PackedSchema.of(TYPES)
    with pytest.raises(StoreError, match=r"feature m: Arrow type map<.*> cannot be packed"):
        packed_schema(pa.schema([("m", pa.map_(pa.string(), pa.string()))]))


def test_unknown_types_and_names_given_twice_are_refused() -> None:
    with pytest.raises(StoreError, match=r"type 'decimal' cannot be packed; expected one of bool, .* value"):
        PackedSchema.of({"price": "decimal"})
    with pytest.raises(StoreError, match="named twice"):
        PackedSchema(PackedSchema.of({"a": "bool"}).fields * 2)


def test_lists_of_texts_end_where_they_should() -> None:
    items = ["", "a", "ü" * 200]
    data = encode_list(items)
    assert [item.decode() for item in decode_list(data)] == items
    for wrong in (data[:-1], b"\x0a", b"\x0a\xff", b"\x08\x01"):
        with pytest.raises(StoreError, match="list of texts"):
            decode_list(wrong)
