"""What an engine's error is called."""

import duckdb
import pytest

from components.contracts.errors import SourceError
from components.lake.engine import open_workspace
from components.lake.session import duckdb_session


def test_an_engine_without_memory_says_what_to_free() -> None:
    with (
        pytest.raises(SourceError, match=r"ran out of memory or disk \(Out of Memory.*free memory, and space in"),
        duckdb_session(memory_limit="1MB", threads=1) as session,
    ):
        session.execute("CREATE TABLE numbers AS SELECT range AS number, hash(range) AS code FROM range(1_000_000)")


def test_the_engine_of_features_says_the_same() -> None:
    with pytest.raises(SourceError, match="free memory, and space in"), open_workspace():
        raise duckdb.OutOfMemoryException("failed to allocate")


def test_a_full_disk_says_what_to_free() -> None:
    with pytest.raises(SourceError, match="free memory, and space in"), duckdb_session():
        raise duckdb.IOException('Could not write file "spill": No space left on device')


def test_another_error_is_no_lack_of_memory() -> None:
    with pytest.raises(duckdb.BinderException, match="nowhere"), duckdb_session() as session:
        session.execute("SELECT nowhere FROM range(1)")
