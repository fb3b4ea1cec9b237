"""The rows of CSV files as Arrow batches of text, each row with its problem, if it has one."""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv as pcsv

from components.contracts.encodings import UTF_8
from components.ingest_events.files.csv_cells import read_rows
from components.ingest_events.files.csv_dialect import CsvFile
from components.ingest_events.files.csv_text import BLOCK, TextStream
from components.ingest_events.mapping.columns import FILE, PROBLEM, ROW

FURTHER_CELLS = "more cells than columns"
OPEN_QUOTE = "a quote that does not close"
BATCH_ROWS = 20_000
Cells = tuple[str | None, ...]


def csv_rows(files: Sequence[CsvFile], columns: Sequence[str]) -> pa.RecordBatchReader:
    """Stream columns of several files, which may have them in any order; empty cells are null.

    A row may be too short. One with more cells than the header has names, or with a quote that does not close, is kept
    as it was found, with its problem.
    """
    schema = pa.schema([(column, pa.string()) for column in (*columns, PROBLEM, ROW, FILE)])
    batches = (batch for file in files for batch in _batches(file, schema))
    return pa.RecordBatchReader.from_batches(schema, batches)


def _batches(file: CsvFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    filled = (block for block in file.blocks() if block)
    first = next(filled, None)
    if first is None:
        return
    blocks = chain([first], filled)
    batches = _regular(file, blocks, schema) if file.is_regular else _irregular(file, blocks, schema)
    yield from (batch for batch in batches if batch.num_rows)


def _regular(file: CsvFile, blocks: Iterator[bytes], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Read by Arrow; rows of another length than the header's are handed over by it, and follow cell by cell."""
    uneven: list[str] = []

    def keep(row: pcsv.InvalidRow) -> Literal["skip"]:
        uneven.append(row.text)
        return "skip"

    for batch in _arrow_reader(file, blocks, schema, keep):
        yield _completed(file, schema, {name: batch[name] for name in batch.schema.names}, batch.num_rows)
        yield from _of_cells(file, _cells_of(file, uneven), schema)
    yield from _of_cells(file, _cells_of(file, uneven), schema)


def _arrow_reader(
    file: CsvFile, blocks: Iterator[bytes], schema: pa.Schema, invalid_row_handler: Any
) -> pcsv.CSVStreamingReader:
    own = [column for column in schema.names if column in file.names] or list(file.names[:1])
    return pcsv.open_csv(
        pa.PythonFile(TextStream(blocks), mode="r"),
        read_options=pcsv.ReadOptions(column_names=file.names, block_size=BLOCK),
        parse_options=pcsv.ParseOptions(
            delimiter=file.syntax.delimiter,
            quote_char=file.syntax.quote or False,
            newlines_in_values=bool(file.syntax.quote),
            invalid_row_handler=invalid_row_handler,
        ),
        convert_options=pcsv.ConvertOptions(
            column_types=dict.fromkeys(own, pa.string()),
            include_columns=own,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )


def _cells_of(file: CsvFile, rows: list[str]) -> Iterator[tuple[str, ...] | str]:
    """Take rows out of a list to which Arrow's threads may add meanwhile, and read their cells."""
    taken = rows[:]
    del rows[: len(taken)]
    for row in taken:
        read = file.syntax.read_row(row)
        yield row if read is None else read.cells


def _irregular(file: CsvFile, blocks: Iterator[bytes], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    return _of_cells(file, read_rows(_texts(blocks), file.syntax), schema)


def _texts(blocks: Iterator[bytes]) -> Iterator[str]:
    """Decode blocks of UTF-8, which may be cut within a letter."""
    decoder = codecs.getincrementaldecoder(UTF_8)()
    return (decoder.decode(block) for block in blocks)


def _of_cells(file: CsvFile, rows: Iterable[tuple[str, ...] | str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    rows = iter(rows)
    while taken := list(islice(rows, BATCH_ROWS)):
        named, problems, originals = zip(*(_judged(file, row) for row in taken), strict=True)
        cells = dict(zip(file.names, zip(*named, strict=True), strict=True)) | {PROBLEM: problems, ROW: originals}
        columns = {name: pa.array(cells[name], pa.string()) for name in schema.names if name in cells}
        yield _completed(file, schema, columns, len(taken))


def _judged(file: CsvFile, row: tuple[str, ...] | str) -> tuple[Cells, str | None, str | None]:
    """Return a row's cells, one a name; its problem; and with it the row as it was found."""
    width, delimiter = len(file.names), file.syntax.delimiter
    if isinstance(row, str):
        return _fitted(tuple(row.split(delimiter)), width), OPEN_QUOTE, row
    if any(cell.strip() for cell in row[width:]):
        return _fitted(row, width), FURTHER_CELLS, delimiter.join(row)
    return _fitted(row, width), None, None


def _fitted(cells: tuple[str, ...], width: int) -> Cells:
    return (*(cell or None for cell in cells[:width]), *([None] * (width - len(cells))))


def _completed(file: CsvFile, schema: pa.Schema, columns: dict[str, pa.Array], rows: int) -> pa.RecordBatch:
    """Return a batch of the schema: with what the file's folders say, and nulls for what it lacks."""
    constants = {FILE: file.file.key, **file.partitions}
    arrays = [columns[name] if name in columns else _repeated(constants.get(name), rows) for name in schema.names]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _repeated(value: str | None, rows: int) -> pa.Array:
    return pa.nulls(rows, pa.string()) if value is None else pa.repeat(pa.scalar(value, pa.string()), rows)
