"""Ids of every writing, read by one rule in SQL and in Python."""

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.ids import NOBODY, id_of
from components.ingest_events.mapping.cells import id_reading
from components.lake.id_sql import id_sql
from components.lake.session import duckdb_session

ROUNDED = "unreadable item (a rounded number)"
BROKEN = "unreadable item (a line break or control character inside)"
NO_TEXT = "unreadable item (bytes of no UTF-8)"
EDGES = st.text("\0\t\n\v\r\x1c\x85\xa0\xad\u1680\u180e\u200b\u200d\u2028\u202e\u2060\u3000\ufeff ", max_size=3)
CORES = st.one_of(
    st.text(),
    st.sampled_from(sorted(NOBODY)).map(str.upper),
    st.from_regex(r"[+-]?[0-9]+\.?0*", fullmatch=True),
    st.sampled_from(["nİl", "NU\u212a", "na\u017f", "17.0\n0", "é.0", "٣.0", "-.0"]),
)


@pytest.mark.parametrize(
    ("kind", "cell", "id_"),
    [
        ("VARCHAR", "'17850'", "17850"),
        ("VARCHAR", "'17850.0'", "17850"),
        ("VARCHAR", "' 17850.00 '", "17850"),
        ("VARCHAR", "'-3.000'", "-3"),
        ("VARCHAR", "'17850.05'", "17850.05"),
        ("VARCHAR", "'17850.50'", "17850.50"),
        ("VARCHAR", "'v1.0'", "v1.0"),
        ("VARCHAR", "'007'", "007"),
        ("VARCHAR", "'1e5'", "1e5"),
        ("VARCHAR", "'N/A'", None),
        ("VARCHAR", r"'\N'", None),
        ("VARCHAR", "'NA'", None),
        ("VARCHAR", "'undefined'", None),
        ("VARCHAR", "'(null)'", None),
        ("VARCHAR", "'#N/A'", None),
        ("VARCHAR", "'-'", None),
        ("VARCHAR", "'Nannette'", "Nannette"),
        ("DOUBLE", "17850.0", "17850"),
        ("DOUBLE", "100000", "100000"),
        ("DOUBLE", "9007199254740991", "9007199254740991"),
        ("FLOAT", "16777215", "16777215"),
        ("DECIMAL(9,2)", "17850.00", "17850"),
        ("DECIMAL(38,0)", "9007199254740993", "9007199254740993"),
        ("BIGINT", "17850", "17850"),
        ("BIGINT", "9007199254740993", "9007199254740993"),
        ("BLOB", r"'\xC3\xA92'::BLOB", "é2"),
        ("BLOB", "'u''3'::BLOB", "u'3"),
        ("BLOB", "' 7.0'::BLOB", "7"),
    ],
)
def test_an_id_is_one_id_however_it_is_written(kind: str, cell: str, id_: str | None) -> None:
    assert read(kind, cell) == (id_, None)


@pytest.mark.parametrize(
    ("kind", "cell", "problem"),
    [
        ("DOUBLE", "9007199254740992", ROUNDED),  # or …993, which a double does not tell apart
        ("DOUBLE", "-1e300", ROUNDED),
        ("FLOAT", "16777216", ROUNDED),
        ("VARCHAR", "'4.00639E+12'", ROUNDED),
        ("VARCHAR", "' 1.0e16'", ROUNDED),
        ("VARCHAR", "'a' || chr(10) || 'b'", BROKEN),
        ("VARCHAR", "'a' || chr(8232) || 'b'", BROKEN),
        ("VARCHAR", "'a' || chr(0) || 'b'", BROKEN),
        ("BLOB", r"'\xE9'::BLOB", NO_TEXT),
    ],
)
def test_cells_that_stand_for_several_ids_are_a_problem(kind: str, cell: str, problem: str) -> None:
    assert read(kind, cell)[1] == problem


def test_a_cell_without_anything_is_no_problem() -> None:
    for kind in ("VARCHAR", "BLOB", "DOUBLE", "BIGINT"):
        assert read(kind, "NULL") == (None, None)


@pytest.fixture(scope="module")
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb_session(threads=1) as opened:
        yield opened


@settings(max_examples=150)
@given(texts=st.lists(st.tuples(EDGES, CORES, EDGES).map("".join), min_size=1, max_size=20))
def test_sql_and_python_read_equal_ids(session: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    session.register("written", pa.table({"id": pa.array(texts, pa.string())}))

    read = session.execute(f"SELECT {id_sql('id')} FROM written").fetchall()

    assert [id_ for (id_,) in read] == [id_of(text) for text in texts]


def read(kind: str, cell: str) -> tuple[str | None, str | None]:
    reading = id_reading("id", kind, "item")
    with duckdb_session(threads=1) as session:
        rows = f"SELECT CAST({cell} AS {kind}) AS id"
        [row] = session.execute(f"SELECT {reading.value}, {reading.problem} FROM ({rows})").fetchall()
    return row
