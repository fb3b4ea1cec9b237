"""An id as a part of other ids: between characters that are no letters and no digits, and nowhere else."""

import duckdb
import pytest

from components.contracts.id_parts import RE2
from components.home.data_subject import DataSubject

PARTS = [
    ("12", "12"),
    ("12", "12-20260909-1"),
    ("12", "20260909_12"),
    ("12", "web.12.5"),
    ("12", "12-12-12"),
    ("ann", "ann-20260909-1"),
    ("ann", "s:ann"),
    ("ä.b@c", "x/ä.b@c/1"),
    ('o"a', 'o"a-1'),
]
WHOLES = [
    ("12", "4123"),
    ("12", "a12"),
    ("12", "12b-1"),
    ("12", "ä12"),
    ("ann", "anna-1"),
    ("ann", "joann-1"),
    ("ann", "Ann-1"),
    ("a.b", "axb-1"),
]


def in_duckdb(user_id: str, cell: str) -> bool:
    rows = duckdb.execute("SELECT regexp_matches(?, ?)", [cell, DataSubject(user_id).part.in_id(RE2)]).fetchall()
    return bool(rows[0][0])


@pytest.mark.parametrize(("user_id", "cell"), PARTS)
def test_a_part_is_replaced_by_as_many_bytes(user_id: str, cell: str) -> None:
    part = DataSubject(user_id, tombstone="t").part
    assert part.is_in_id(cell)
    assert in_duckdb(user_id, cell)
    after = part.replaced_in_id(cell)
    assert after == cell.replace(user_id, part.stand_in)
    assert len(after.encode()) == len(cell.encode())
    assert not part.is_in_id(after)


@pytest.mark.parametrize(("user_id", "cell"), WHOLES)
def test_an_id_within_a_word_or_a_number_is_another_one(user_id: str, cell: str) -> None:
    part = DataSubject(user_id).part
    assert not part.is_in_id(cell)
    assert not in_duckdb(user_id, cell)
    assert part.replaced_in_id(cell) == cell


@pytest.mark.parametrize("user_id", ["12", "a", "ann-4711", "x" * 300, "ä"])
def test_a_stand_in_is_the_users_own_and_never_the_id(user_id: str) -> None:
    stand_ins = {DataSubject(user_id, tombstone=str(number)).part.stand_in for number in range(2000)}
    assert user_id not in stand_ins
    assert {len(each) for each in stand_ins} == {len(user_id.encode())}
    assert len(stand_ins) > 1


@pytest.mark.parametrize(
    ("user_id", "text", "left"),
    [
        ("12", '{"session_id": "12-1", "size": "12 oz", "n": 12}', '{"session_id": "{}-1", "size": "12 oz", "n": 12}'),
        ("12", '{"visit":"s-12-12"}', '{"visit":"s-{}-{}"}'),
        ("ann", '{"session_id":"joann-1","visit":"x\\"ann"}', '{"session_id":"joann-1","visit":"x\\"{}"}'),
        ("user4711", '{"from": "mail/user4711?x", "to": "user47110"}', '{"from": "mail/{}?x", "to": "user47110"}'),
        ("2375123", '{"ref": "c=2375123", "score": 0.2375123}', '{"ref": "c={}", "score": 0.2375123}'),
        ("zoë-1", '{"ref": "zo\\u00eb-1"}', '{"ref": "{}"}'),
    ],
)
def test_texts_are_searched_where_they_hold_ids_and_everywhere_for_ids_that_tell(
    user_id: str, text: str, left: str
) -> None:
    part = DataSubject(user_id, id_keys=frozenset({"session_id", "visit"}), tombstone="t").part
    after = left.replace("{}", part.stand_in)
    assert part.replaced_in_text(text) == after
    for pattern in part.in_text(RE2) * 2:
        [(text,)] = duckdb.execute(
            "SELECT regexp_replace(?, ?, ?, 'g')", [text, pattern, rf"\1{part.stand_in}\2"]
        ).fetchall()
    assert text == after


def test_a_whole_value_of_a_row_as_it_was_found_may_be_an_item() -> None:
    part = DataSubject("user4711", tombstone="t").part
    text = found = '{"item": "user4711", "note": "for user4711", "session_id": "user4711"}'
    for pattern in part.in_text(RE2, whole=False):
        [(text,)] = duckdb.execute(
            "SELECT regexp_replace(?, ?, ?, 'g')", [text, pattern, rf"\1{part.stand_in}\2"]
        ).fetchall()
    assert text == found.replace("for user4711", f"for {part.stand_in}").replace(
        '"session_id": "user4711"', f'"session_id": "{part.stand_in}"'
    )


def test_a_short_id_beside_the_owners_is_a_counter() -> None:
    part = DataSubject("12").part
    assert part.is_counter("55-20260909-12", "55")
    assert not part.is_counter("55-20260909-12", "5")
    assert not part.is_counter("12-20260909-1", "55")
    assert not part.is_counter("12-20260909-1", None)
    assert not DataSubject("user-12").part.is_counter("55-user-12", "55")
