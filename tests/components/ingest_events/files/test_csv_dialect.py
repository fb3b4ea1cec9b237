"""A CSV's delimiter follows from its header alone; its quotes are checked over the whole file."""

from pathlib import Path

import pytest

from components.contracts.errors import SourceError
from components.ingest_events.files.csv_cells import Syntax
from components.ingest_events.files.csv_dialect import CsvFile, QuoteCheck, open_csv
from components.ingest_events.files.source_file import SourceFile
from components.shop.settings import FileSource


def opened(folder: Path, content: str, **said: str) -> CsvFile:
    path = folder / "a.csv"
    path.write_text(content, encoding="utf-8", newline="")
    file = open_csv("events.purchases", SourceFile("a.csv", path), FileSource(kind="csv", path="a.csv", **said))
    assert file is not None
    return file


@pytest.mark.parametrize(
    ("header", "delimiter", "names"),
    [
        ("a,b,c\n", ",", ("a", "b", "c")),
        ("a;b;c\n", ";", ("a", "b", "c")),
        ("a\tb, or c\td", "\t", ("a", "b, or c", "d")),
        ('"a,b,c,d"|e|f\r\n', "|", ("a,b,c,d", "e", "f")),
        ("\n\n a ; b\n", ";", ("a", "b")),
        ("sep=;\r\na;b,c,d\r\n", ";", ("a", "b,c,d")),
        ("alone\n", ",", ("alone",)),
        ('"two\nlines",b\n', ",", ("two\nlines", "b")),
    ],
)
def test_the_delimiter_is_the_most_frequent_one_of_the_header(
    tmp_path: Path, header: str, delimiter: str, names: tuple[str, ...]
) -> None:
    file = opened(tmp_path, header)

    assert (file.syntax.delimiter, file.names) == (delimiter, names)
    assert b"".join(file.blocks()) == b""


def test_a_delimiter_that_is_said_goes_first(tmp_path: Path) -> None:
    assert opened(tmp_path, "a:b,c,d\n", delimiter=":").names == ("a", "b,c,d")


def test_as_many_commas_as_semicolons_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"as many commas as semicolons in the header 'a,b;c'.*`source\.delimiter`"):
        opened(tmp_path, "a,b;c\n1,2;3\n")


def test_names_lose_the_invisible_signs_around_them(tmp_path: Path) -> None:
    assert opened(tmp_path, "\ufeff\ufeffa,b\u200b\n").names == ("a", "b")


def test_blank_and_repeated_names_are_numbered(tmp_path: Path) -> None:
    assert opened(tmp_path, "a,A,,a\n").names == ("a", "A_1", "column2", "a_2")


def test_folders_say_columns_that_the_file_lacks(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n")
    file = open_csv("x", SourceFile("day=2026-01-01/b=2/a.csv", tmp_path / "a.csv"), FileSource(kind="csv", path="x"))

    assert file is not None
    assert (file.columns, file.partitions) == (("a", "b", "day"), {"day": "2026-01-01"})


@pytest.mark.parametrize(
    ("text", "regular"),
    [
        ('a,"b, c","say ""hi"""\r\n"",x\n"two\nlines",y', True),
        ("a,b\n", True),
        ('5" pipe,b\n', False),
        ('"5" pipe",b\n', False),
        ('a, "b, c"\n', False),
        ('"a" ,b\n', False),
        ('a,"b\n', False),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_quotes_are_regular_if_each_opens_or_closes_a_cell(text: str, regular: bool, size: int) -> None:
    quotes = QuoteCheck(Syntax())
    for start in range(0, len(text), size):
        quotes.look_at(text[start : start + size].encode())

    assert quotes.are_regular() == regular


@pytest.mark.parametrize(
    ("syntax", "text", "regular"),
    [
        (Syntax(quote="", escape=""), '5" pipe,"\n', True),
        (Syntax(escape="\\"), '"a",b\n', True),
        (Syntax(escape="\\"), '"a\\"",b\n', False),
        (Syntax(delimiter="§"), "a§b\n", False),
    ],
)
def test_what_only_the_slower_reader_knows_is_irregular(syntax: Syntax, text: str, regular: bool) -> None:
    quotes = QuoteCheck(syntax)
    quotes.look_at(text.encode())

    assert quotes.are_regular() == regular
