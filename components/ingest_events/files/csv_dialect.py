"""The dialect of one CSV file: its encoding, delimiter and column names, and whether its quotes are regular.

The file is looked through once before it is read: that its text can be decoded, and that every quote opens or closes a
cell. A regular file goes to the fast reader, any other is read cell by cell.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from urllib.parse import unquote

import numpy as np

from components.contracts.encodings import UTF_8
from components.contracts.errors import SourceError
from components.contracts.ids import trimmed
from components.ingest_events.files.csv_cells import Syntax
from components.ingest_events.files.csv_text import CsvText, open_text
from components.ingest_events.files.source_file import SourceFile
from components.shop.sources import FileSource

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAID_BY_FILE = re.compile(r'"?sep=(.)"?[ ]*(?:\r\n|\r|\n)')  # Excel's own first line
_HEADER = re.compile(r'(?:[^"\r\n]|"[^"]*+")*+')


@dataclass(frozen=True)
class CsvFile:
    """A CSV file with a header; ``start`` is where its rows begin, in bytes of its text as UTF-8."""

    file: SourceFile
    text: CsvText
    syntax: Syntax
    names: tuple[str, ...]
    start: int
    is_regular: bool
    repeated: frozenset[str] = frozenset()  # names that several columns of the header have

    @property
    def partitions(self) -> dict[str, str]:
        """Return columns that the folders of the file say, such as ``day=2026-01-01``; the file's own go first."""
        named = (folder.split("=", 1) for folder in self.file.key.split("/")[:-1] if "=" in folder)
        return {name: unquote(value) for name, value in named if name not in self.names}

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that its rows have."""
        return (*self.names, *self.partitions)

    def blocks(self) -> Iterator[bytes]:
        """Yield the text of its rows, without the header, as UTF-8."""
        passed = 0
        for block in self.text.blocks():
            yield block[max(0, self.start - passed) :]
            passed += len(block)


def open_csv(where: str, file: SourceFile, source: FileSource) -> CsvFile | None:
    """Look through a CSV file; None for one that holds nothing, not even a header.

    Raises:
        SourceError: the file cannot be decoded, or its delimiter or header is unclear.
    """
    text = open_text(where, file, source.encoding)
    if text is None:
        return None
    blocks = text.blocks()
    first = next(blocks)
    head = first.decode(UTF_8, errors="ignore")  # the last letter may be cut
    if not head.strip():
        return None
    start, syntax = _syntax(where, file, source, head)
    row = syntax.read_row(head, start)
    if row is None:
        raise SourceError(f"{where}: {file.shown}: a quote in the header does not close; correct the file")
    quotes = QuoteCheck(syntax)
    for block in chain([first], blocks):
        quotes.look_at(block)
    cells = tuple(map(trimmed, row.cells))
    repeated = frozenset(cell for cell in cells if cells.count(cell) > 1)
    start = len(head[: row.end].encode())
    return CsvFile(file, text, syntax, _unique(cells), start, quotes.are_regular(), repeated)


def refuse_repeated_names(where: str, file: CsvFile, used: Iterable[str]) -> None:
    """Refuse a file whose header has a mapped name more than once: nothing says which column is meant.

    Raises:
        SourceError: it has.
    """
    for column in used:
        if column in file.repeated:
            raise SourceError(
                f"{where}: {file.file.shown}: found several columns called {column!r} in the header, which the shop "
                "file maps; give each its own name in the export"
            )


def _syntax(where: str, file: SourceFile, source: FileSource, head: str) -> tuple[int, Syntax]:
    """Return where the header begins, and the characters that structure the file."""
    start = len(head) - len(head.lstrip("\r\n"))
    said = _SAID_BY_FILE.match(head, start)
    if said is not None:
        start = said.end()
    delimiter = source.delimiter or (said[1] if said else _most_frequent(where, file, head, start))
    return start, Syntax(delimiter, source.quote, source.escape or source.quote)


def _most_frequent(where: str, file: SourceFile, head: str, start: int) -> str:
    header = _HEADER.match(head, start)
    unquoted = re.sub(r'"[^"]*+"', "", header[0] if header else "")
    counts = {delimiter: unquoted.count(delimiter) for delimiter in DELIMITERS}
    ranked = sorted(counts, key=lambda delimiter: -counts[delimiter])
    if counts[ranked[0]] and counts[ranked[0]] == counts[ranked[1]]:
        raise SourceError(
            f"{where}: {file.shown}: found as many {DELIMITERS[ranked[0]]} as {DELIMITERS[ranked[1]]} in the header "
            f"{header[0][:80] if header else ''!r}; name the one between cells as `source.delimiter` in the shop file"
        )
    return ranked[0]


def _unique(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of their own: blank ones are numbered, repeated ones too."""
    names: list[str] = []
    for place, cell in enumerate(cells):
        name = stem = cell or f"column{place}"
        repeats = 0
        while name.casefold() in {known.casefold() for known in names}:
            repeats += 1
            name = f"{stem}_{repeats}"
        names.append(name)
    return tuple(names)


class QuoteCheck:
    """Checks that every quote of a text opens or closes a cell, so that all readers agree."""

    def __init__(self, syntax: Syntax) -> None:
        signs = syntax.delimiter + syntax.quote + syntax.escape
        self._regular = signs.isascii()
        self._quote = ord(syntax.quote) if syntax.quote and self._regular else None
        self._escape = syntax.escape.encode() if syntax.escape != syntax.quote else None
        self._beside = np.zeros(256, dtype=bool)  # what may stand outside of a quote that opens or closes a cell
        self._beside[list((syntax.delimiter + syntax.quote + "\r\n").encode())] = True
        self._seen = 0
        self._tail = b"\n"  # the byte before those to judge, and the last one, whose next is not known yet

    def look_at(self, block: bytes) -> None:
        """Judge the quotes of the next block."""
        if self._escape is not None and self._escape in block:
            self._regular = False
        if not self._regular or self._quote is None:
            return
        text = np.frombuffer(self._tail + block, dtype=np.uint8)
        quotes = np.flatnonzero(text[1:-1] == self._quote) + 1
        opening, closing = quotes[self._seen % 2 :: 2], quotes[(self._seen + 1) % 2 :: 2]
        self._regular = bool(self._beside[text[opening - 1]].all() and self._beside[text[closing + 1]].all())
        self._seen += len(quotes)
        self._tail = text[-2:].tobytes()

    def are_regular(self) -> bool:
        """Return whether all quotes were, at the end of the text."""
        self.look_at(b"\n")
        return self._regular and self._seen % 2 == 0
