"""The grammar of a CSV row, for rows that the fast reader does not read: one regular expression a cell."""

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

LONGEST_ROW = 4 << 20  # characters; beyond it a quote that is still open does not close
ROW_END = r"(?P<row>\r\n|\r|\n|\Z)"


@dataclass(frozen=True)
class Row:
    """The cells of one row; ``end`` is where the next one begins, ``is_last`` that nothing but the text's end does."""

    cells: tuple[str, ...]
    end: int
    is_last: bool = False


@dataclass(frozen=True)
class Syntax:
    """The characters that separate and enclose the cells of a CSV; no ``quote`` encloses nothing."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'

    def read_row(self, text: str, start: int = 0) -> Row | None:
        """Read the row that begins at ``start``; None if one of its quotes does not close as it should."""
        cells = []
        while match := self._cell.match(text, start):
            cells.append(self._value(match))
            start = match.end()
            if match["row"] is not None:
                return Row(tuple(cells), start, is_last=start == len(text))
        return None

    def _value(self, match: re.Match[str]) -> str:
        quoted: str | None = match["quoted"]
        if quoted is None:
            return match["plain"]
        return self._escaped.sub(r"\1", quoted) if self.escape in quoted else quoted

    @cached_property
    def _cell(self) -> re.Pattern[str]:
        end = rf"(?:{re.escape(self.delimiter)}|{ROW_END})"
        plain = rf"(?P<plain>[^\r\n{_within(self.delimiter)}]*+)"
        if not self.quote:
            return re.compile(f"(?P<quoted>(?!))?{plain}{end}")
        blank = "" if self.delimiter == " " else "[ ]*+"
        mark = re.escape(self.quote)
        inner = rf"[^{_within(self.quote + self.escape)}]*+"
        after_escape = mark if self.escape == self.quote else r"[\s\S]"
        quoted = f"{mark}(?P<quoted>{inner}(?:{re.escape(self.escape)}{after_escape}{inner})*+){mark}"
        return re.compile(f"(?:{blank}{quoted}{blank}|(?!{blank}{mark}){plain}){end}")

    @cached_property
    def _escaped(self) -> re.Pattern[str]:
        return re.compile(f"{re.escape(self.escape)}([{_within(self.quote + self.escape)}])")


def _within(characters: str) -> str:
    """Characters for use within the brackets of a regular expression."""
    return "".join(f"\\{character}" if not character.isalnum() else character for character in set(characters))


def read_rows(texts: Iterable[str], syntax: Syntax) -> Iterator[tuple[str, ...] | str]:
    """Read rows from a text in pieces; a line whose quote does not close is given as it is, and reading goes on below.

    Blank lines are no rows.
    """
    unfinished = ""
    pieces = iter(texts)
    while piece := next(pieces, ""):
        unfinished = yield from _whole_rows(unfinished + piece, syntax, ended=False)
    yield from _whole_rows(unfinished, syntax, ended=True)


def _whole_rows(text: str, syntax: Syntax, ended: bool) -> Generator[tuple[str, ...] | str, None, str]:
    """Read the rows of a text; return what may be the beginning of a row whose rest is still to come."""
    start = 0
    while start < len(text):
        row = syntax.read_row(text, start)
        if not ended and (row.is_last if row else len(text) - start < LONGEST_ROW):
            break
        if row is not None:
            start = row.end
            if row.cells != ("",):
                yield row.cells
        else:
            line = _line(text, start)
            start = min(len(text), start + len(line) + 1)
            yield line
    return text[start:]


def _line(text: str, start: int) -> str:
    end = re.compile(r"[\r\n]|\Z").search(text, start)
    assert end is not None
    return text[start : end.start()]
