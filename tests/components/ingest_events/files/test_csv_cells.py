"""A CSV row's grammar: what closes, what does not, and where the next row begins."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.ingest_events.files.csv_cells import Syntax, read_rows

CELLS = st.text(alphabet='ab,;"\r\n |ü', max_size=6)


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("1,2,3", ("1", "2", "3")),
        ('1,"a, b",', ("1", "a, b", "")),
        ('"say ""hi""",2', ('say "hi"', "2")),
        ('1, "a, b" ,3', ("1", "a, b", "3")),
        ('5" pipe,2', ('5" pipe', "2")),
        ('"",""', ("", "")),
    ],
)
def test_a_row_is_split_at_delimiters_outside_quotes(line: str, cells: tuple[str, ...]) -> None:
    row = Syntax().read_row(line + "\n")

    assert row is not None
    assert row.cells == cells


@pytest.mark.parametrize("line", ['"5" pipe",2', '1,"pipe,3', '"a"b,2'])
def test_a_quote_that_does_not_close_a_cell_is_no_row(line: str) -> None:
    assert Syntax().read_row(line + "\nnext,1\n") is None


def test_reading_goes_on_below_a_line_whose_quote_does_not_close() -> None:
    text = '1,a\n"2,b\n3,c\r\n\n"4","d\nd"\r5,e'

    assert list(read_rows([text], Syntax())) == [("1", "a"), '"2,b', ("3", "c"), ("4", "d\nd"), ("5", "e")]


def test_other_characters_may_separate_enclose_and_escape() -> None:
    row = Syntax(delimiter="\t", quote="'", escape="\\").read_row("'it\\'s'\t\\N\t\"x\"\n")

    assert row is not None
    assert row.cells == ("it's", "\\N", '"x"')


def test_without_a_quote_character_nothing_is_enclosed() -> None:
    row = Syntax(delimiter="\t", quote="", escape="").read_row('5" pipe\t"x"\n')

    assert row is not None
    assert row.cells == ('5" pipe', '"x"')


@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=5), cut=st.integers(1, 7))
def test_what_a_writer_wrote_is_read_in_pieces_of_any_length(rows: list[list[str]], cut: int) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows(rows)
    text = written.getvalue()
    pieces = [text[start : start + cut] for start in range(0, len(text), cut)]

    assert list(read_rows(pieces, Syntax())) == [tuple(row) for row in rows]
