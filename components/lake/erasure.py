"""Erasing a user from a Delta table: its rows, its old versions, its log.

The rows are written again without the user's, in one commit that carries the notes on. The log then begins there: older
commits go, for their statistics hold the least and greatest ids, and so do all files that no version left reads. A run
that names an older version can no longer be repeated, and fails with that reason. Where cells of other rows hold the
id as a part, a stand-in takes its place.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.contracts.id_parts import ID_KEYS
from components.home.data_subject import USER_ID, DataSubject, Erased
from components.home.storage.documents import names_below, remove_documents
from components.home.storage.held import check_held
from components.home.storage.locations import Location
from components.home.storage.scratch import uncached_file
from components.lake.id_parts import count_parts, without_parts
from components.lake.id_sql import id_sql
from components.lake.session import (
    duckdb_session,
    json_cell,
    parquet_relation,
    path_text,
    quote_identifier,
    quote_literal,
    stream_rows,
)
from components.lake.tables import (
    LOG,
    Notes,
    file_names,
    noted_version,
    open_table,
    read_notes,
    replace_rows,
    table_files,
    table_version,
)

JSON_COLUMNS = ("found", "row")  # rows as they were found, in raw tables and in the quarantine
WHOLE_BOUND = 32  # characters up to which every writer keeps a text in statistics whole
Fits = Callable[[Notes], bool]


def erase_rows(uri: Location, person: DataSubject, again: bool = False, accepted: Fits | None = None) -> Erased:
    """Erase a user from a table and from all files of its folder; do nothing if they are not there.

    Args:
        again: an earlier erasure here may have been cut off: repeat every step.
        accepted: tells by its notes a version that must stay readable, beside the newest, without the user.
    """
    names = list(names_below(uri))
    if open_table(uri) is None or not (again or any(_is_held(uri / name, person) for name in names)):
        return Erased(searched=len(names))
    parts = sum(parts_in_file(Path(file), person) for file in table_files(uri))
    first, rows = _rewrite(uri, person, accepted)
    return Erased(rows, _forget_history(uri, first), len(names), parts)


def _is_held(file: Location, person: DataSubject) -> bool:
    """Return whether a file of a table's folder holds anything of the user."""
    with uncached_file(file) as path:
        return holds_user(path, person) or holds_part(path, person)


def holds_user(path: Path, person: DataSubject) -> bool:
    """Return whether a table's file holds a row of the user, or a log their id; True for one that cannot be read."""
    if path.parent.name == LOG:
        return any(_is_in_statistics(found, person) for found in _statistics(path))
    return path.suffix != ".parquet" or rows_in_file(path, person) != 0


def holds_part(path: Path, person: DataSubject) -> bool:
    """Return whether a file of a table's folder holds the user's id as a part of other rows' cells."""
    if path.parent.name == LOG:
        bounds = (str(statistics.get(key) or "") for statistics in _statistics(path) for key in ID_KEYS)
        return any(person.part.is_in_id(bound) for bound in bounds)
    return path.suffix == ".parquet" and parts_in_file(path, person) != 0


def parts_in_file(path: Path, person: DataSubject) -> int:
    """Cells of other rows in a Parquet file that hold the user's id as a part; 0 for a file that cannot be read."""
    try:
        columns = pq.read_schema(path).names
    except pa.ArrowInvalid:
        return 0
    counted = count_parts(person, columns)
    if counted == "0":
        return 0
    with duckdb_session() as session:
        query = f"SELECT {counted} FROM read_parquet({path_text(path)}, hive_partitioning = false)"
        return int(session.execute(f"{query} WHERE NOT {_is_of(person, columns)}").fetchall()[0][0])


def rows_in_file(path: Path, person: DataSubject) -> int | None:
    """Return the user's rows in a Parquet file; None for a file that cannot be read."""
    try:
        columns = pq.read_schema(path).names
    except pa.ArrowInvalid:
        return None
    if not {*JSON_COLUMNS} & set(columns):
        return _plain_rows(path, person) if USER_ID in columns else 0
    with duckdb_session() as session:
        count = f"SELECT count(*) FROM read_parquet({path_text(path)}, hive_partitioning = false)"
        return int(session.execute(f"{count} WHERE {_is_of(person, columns)}").fetchall()[0][0])


def _plain_rows(path: Path, person: DataSubject) -> int:
    ids = pq.read_table(path, columns=[USER_ID], partitioning=None)[USER_ID]
    return int(pc.sum(pc.equal(ids, person.user_id)).as_py() or 0)


def _is_of(person: DataSubject, columns: Sequence[str]) -> str:
    """Return SQL that is true for the rows of a user."""
    wanted = quote_literal(person.user_id)
    tests = [f"{quote_identifier(USER_ID)} = {wanted}"] if USER_ID in columns else []
    for column in JSON_COLUMNS:
        if column in columns:
            tests += [_names(json_cell(column, key), person) for key in person.columns]
    return "(" + " OR ".join(f"coalesce({test}, false)" for test in tests or ["false"]) + ")"


def _names(cell: str, person: DataSubject) -> str:
    """Return SQL of whether a cell of a source is the user's id; see ``DataSubject.is_named_by``."""
    return f"{quote_literal(person.user_id)} IN ({cell}, {id_sql(cell)})"


def _rewrite(uri: Location, person: DataSubject, accepted: Fits | None) -> tuple[int, int]:
    """Commit the rows of the versions that stay, without the user's; the first new version, and the rows that went."""
    newest = table_version(uri)
    assert newest is not None
    kept = noted_version(uri, accepted) if accepted else None
    versions = [newest] if kept is None or _is_as(uri, kept, newest) else [kept, newest]
    written, rows = [], 0
    for version in versions:
        rows = _rows_at(uri, version, person)
        written.append(_write_without(uri, version, person))
    return written[0], rows


def _is_as(uri: Location, version: int, newest: int) -> bool:
    return set(file_names(uri, version)) == set(file_names(uri, newest))


def _rows_at(uri: Location, version: int, person: DataSubject) -> int:
    return sum(rows_in_file(Path(file), person) or 0 for file in table_files(uri, version))


def _write_without(uri: Location, version: int, person: DataSubject) -> int:
    table = open_table(uri, version)
    assert table is not None
    schema = pa.schema(table.schema().to_arrow())
    with duckdb_session() as session:
        every = parquet_relation(table_files(uri, version), schema)
        replaced = without_parts(person, schema.names)
        quoted = {column: quote_identifier(column) for column in schema.names}
        columns = ", ".join(f"{replaced.get(column, cell)} AS {cell}" for column, cell in quoted.items())
        remaining = f"SELECT {columns} FROM {every} WHERE NOT {_is_of(person, schema.names)}"
        return replace_rows(uri, stream_rows(session, remaining, schema), read_notes(uri, version))


def _forget_history(uri: Location, first: int) -> int:
    """Let the log begin at a version, and remove every file that no version from there on reads; return how many."""
    newest, table = table_version(uri), open_table(uri, first)
    assert table is not None
    assert newest is not None
    check_held(uri)
    table.create_checkpoint()
    read = {name for version in range(first, newest + 1) for name in file_names(uri, version)}
    gone = [name for name in names_below(uri) if name not in read and not _stays(name, first)]
    remove_documents(uri / name for name in gone)
    return len(gone)


def _stays(name: str, first: int) -> bool:
    """Return whether a file is an entry of the log that is needed from a version on."""
    folder, _, entry = name.partition("/")
    number, _, kind = entry.partition(".")
    whole = number.isdigit() and int(number) >= first and kind in ("json", "checkpoint.parquet")
    return folder == LOG and (entry == "_last_checkpoint" or whole)


def _statistics(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the least and greatest values that a file of a log notes, by column."""
    for statistics in _noted_statistics(path):
        bounds = json.loads(statistics) if statistics else {}
        yield from (bounds.get(bound) or {} for bound in ("minValues", "maxValues"))


def _noted_statistics(path: Path) -> Iterator[str | None]:
    if path.name.endswith(".json"):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield (json.loads(line).get("add") or {}).get("stats")
    elif path.name.endswith(".checkpoint.parquet"):
        for action in pq.read_table(path, columns=["add"])["add"].to_pylist():
            yield (action or {}).get("stats")


def _is_in_statistics(bounds: dict[str, Any], person: DataSubject) -> bool:
    """Return whether bounds name the user; those of long texts may be cut short."""
    bound = str(bounds.get(USER_ID) or "")
    texts = [str(bounds[column]) for column in JSON_COLUMNS if bounds.get(column)]
    return (
        bound == person.user_id
        or (WHOLE_BOUND <= len(bound) < len(person.user_id) and person.user_id.startswith(bound[: WHOLE_BOUND - 1]))
        or any(person.token.search(each.encode()) for each in texts)
    )
