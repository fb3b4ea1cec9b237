"""Ids of every writing."""

import pytest

from components.ingest_events.cells import id_value
from components.lake.session import duckdb_session


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
        ("VARCHAR", "'N/A'", None),
        ("DOUBLE", "17850.0", "17850"),
        ("DECIMAL(9,2)", "17850.00", "17850"),
        ("BIGINT", "17850", "17850"),
    ],
)
def test_an_id_is_one_id_however_it_is_written(kind: str, cell: str, id_: str | None) -> None:
    with duckdb_session(threads=1) as session:
        rows = f"SELECT CAST({cell} AS {kind}) AS id"
        assert session.execute(f"SELECT {id_value('id', kind)} FROM ({rows})").fetchall() == [(id_,)]
