"""Encodings and packing are said, or follow from a file's first bytes; what does not fit is an error."""

import bz2
import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from components.contracts.errors import SourceError
from components.ingest_events.files.csv_text import open_text
from components.ingest_events.files.source_file import SourceFile

TEXT = "name,user\nGlühwein €5,a\n"


def read(path: Path, content: bytes, encoding: str = "utf-8") -> str:
    path.write_bytes(content)
    opened = open_text("events.purchases", SourceFile(path.name, path), encoding)
    assert opened is not None
    return b"".join(opened.blocks()).decode()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-8"),
        ("utf-16-le", "utf-8"),
        ("utf-16-be", "utf-8"),
        ("utf-32", "utf-8"),
        ("windows-1252", "windows-1252"),
        ("utf-16-le", "utf-16"),
        ("utf-8-sig", "windows-1252"),
    ],
)
def test_an_encoding_is_said_or_recognised_by_first_bytes(tmp_path: Path, written: str, said: str) -> None:
    assert read(tmp_path / "a.csv", TEXT.encode(written), said) == TEXT


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(TEXT[:5].encode(), mtime=0) + gzip.compress(TEXT[5:].encode(), mtime=0),
        bz2.compress(TEXT.encode()),
        pa.compress(TEXT.encode(), codec="zstd", asbytes=True),
    ],
)
def test_packed_files_are_unpacked_under_any_name(tmp_path: Path, packed: bytes) -> None:
    assert read(tmp_path / "a.csv", packed) == TEXT


def test_a_byte_of_no_letter_is_named_with_its_line_and_the_key(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.csv: line 2 holds the byte 0xFC.*`source\.encoding`.*'Glühwein €5,a'"):
        read(tmp_path / "a.csv", TEXT.encode("windows-1252"))


def test_a_file_that_mixes_encodings_is_not_said_to_be_of_another(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"line 3 .*mixes encodings"):
        read(tmp_path / "a.csv", TEXT.encode() + "Café,b\n".encode("windows-1252"))


def test_a_letter_may_be_cut_by_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.ingest_events.files.csv_text.BLOCK", 3)

    assert read(tmp_path / "a.csv", TEXT.encode()) == TEXT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04rest", "a ZIP archive or an Excel workbook; unpack it"),
        (b"PAR1rest", 'a Parquet file; set `source.kind = "parquet"`'),
        (gzip.compress(bytes(range(256)) * 40, mtime=0)[:90], "Truncated .*deliver the file again"),
    ],
)
def test_another_format_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read(tmp_path / "a.csv", content)


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0), "".encode("utf-16")])
def test_a_file_without_a_letter_holds_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)

    assert open_text("events.purchases", SourceFile("a.csv", tmp_path / "a.csv"), "utf-8") is None
