"""Parquet and CSV files as DuckDB relations."""

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb

from components.contracts.errors import SourceError
from components.contracts.shop import Source
from components.lake.session import exhausted, is_exhausted, path_text, text

FILE = "__file"
CSV_ERROR = "CSV Error on Line"


def files_relation(source: Source, paths: Sequence[Path]) -> str:
    """SQL that reads files of one source, with the path of each row's file as ``__file``.

    A CSV's cells are read as text, so that a column of mixed types is judged cell by cell. A row may be too short, and
    hold line breaks in quotes: DuckDB 2 reads both together only without its parallel reader, in the same time.

    Raises:
        SourceError: no CSV file has as much as a header.
    """
    if source.kind == "csv" and not any(path.stat().st_size for path in paths):
        raise SourceError(f"{paths[0]}: found an empty file, expected a line with column names; export it again")
    listed = f"[{', '.join(path_text(path) for path in paths)}]"
    if source.kind == "parquet":
        return f"read_parquet({listed}, union_by_name = true, filename = {text(FILE)})"
    return (
        f"read_csv({listed}, all_varchar = true, header = true, union_by_name = true, null_padding = true, "
        f"parallel = false, encoding = {text(source.encoding)}, filename = {text(FILE)})"
    )


def relation_columns(session: duckdb.DuckDBPyConnection, where: str, relation: str) -> dict[str, str]:
    """The columns of a relation and their DuckDB types.

    Raises:
        SourceError: the files cannot be read as what the shop file says they are.
    """
    try:
        described = session.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    except duckdb.Error as error:
        raise unreadable(where, error) from error
    return {column: kind for column, kind, *_ in described if column != FILE}


def unreadable(where: str, error: duckdb.Error) -> SourceError:
    """An error of the engine as one line about the source."""
    if is_exhausted(error):
        return exhausted(error)
    return SourceError(
        f"{where}: found data that cannot be read ({_reason(str(error).strip())}); "
        "check the file, and its `kind` and `encoding` in the shop file"
    )


def _reason(said: str) -> str:
    """The first line of an engine's error; of a CSV's the cause and the file too, which stand below the bad row."""
    first = said.splitlines()[0]
    if CSV_ERROR not in first:
        return first
    cause = re.split(r"\n\s*(?=Possible |file = )", said)[0].strip().splitlines()[-1]
    file = re.search(r"^  file = (.*)$", said, re.MULTILINE)
    return f"{first}: {cause}{f' In {file[1]}' if file else ''}"
