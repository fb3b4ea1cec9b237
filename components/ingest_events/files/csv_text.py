"""A CSV file as UTF-8, block by block: unpacked, and decoded as the shop file or the file itself says."""

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from components.contracts.encodings import MARKS, UTF_8, mark_of
from components.contracts.errors import SourceError
from components.ingest_events.files.source_file import SourceFile

BLOCK = 4 << 20
SHOWN = 40  # characters of a line that a message shows
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
OTHER_FORMATS = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; unpack it, or save it as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook; save it as CSV",
    b"PAR1": 'a Parquet file; set `source.kind = "parquet"`',
    b"\xfd7zXZ": "packed by xz; pack it by gzip, bzip2 or zstd",
}


@dataclass(frozen=True)
class CsvText:
    """A CSV file and the encoding that it is read in; ``skipped`` is the length of its byte order mark."""

    where: str
    file: SourceFile
    encoding: str
    skipped: int = 0

    def blocks(self) -> Iterator[bytes]:
        """Yield the file's text as blocks of UTF-8.

        Raises:
            SourceError: the file cannot be unpacked, or a byte is none of its encoding.
        """
        decoder = codecs.getincrementaldecoder(self.encoding)()
        is_utf8 = codecs.lookup(self.encoding).name == UTF_8
        lines = 1
        for block, last in self._raw_blocks():
            if is_utf8 and block.isascii() and not decoder.getstate()[0]:
                utf8 = block
            else:
                try:
                    text = decoder.decode(block, final=last)
                except UnicodeDecodeError as error:
                    raise self._undecodable(error, lines) from error
                utf8 = block if is_utf8 else text.encode(UTF_8)
            lines += utf8.count(b"\n") or utf8.count(b"\r")
            yield utf8

    def _raw_blocks(self) -> Iterator[tuple[bytes, bool]]:
        """Return the unpacked bytes after the byte order mark; true with the last ones, which may be none."""
        try:
            with open_unpacked(self.file.path) as stream:
                stream.read(self.skipped)
                while block := stream.read(BLOCK):
                    yield block, False
                yield b"", True
        except OSError as error:
            raise SourceError(
                f"{self.where}: {self.file.shown} cannot be read ({error}); deliver the file again if it is incomplete"
            ) from error

    def _undecodable(self, error: UnicodeDecodeError, lines: int) -> SourceError:
        """Name the first line that is not of the encoding, and what it may be; ``lines`` is the first of this block."""
        before = error.object[: error.start].decode(self.encoding)
        line = lines + (before.count("\n") or before.count("\r"))
        wrong = f"{self.where}: {self.file.shown}: line {line} holds the byte 0x{error.object[error.start]:02X}"
        if codecs.lookup(self.encoding).name == UTF_8 and not before.isascii():
            return SourceError(
                f"{wrong}, which is not {self.encoding}, though lines before it hold letters that are: the file mixes "
                "encodings; convert the whole of it into one"
            )
        decoded = error.object[error.start :].decode("windows-1252", errors="replace")
        return SourceError(
            f"{wrong}, which is not {self.encoding}; name the file's encoding as `source.encoding` in the shop file: "
            f"windows-1252, the usual one of Western European exports, reads there {_around(before, decoded)!r}"
        )


def _around(before: str, after: str) -> str:
    """Return the line at a place of a text, cut where it is long."""
    start, end = re.split(r"[\r\n]", before)[-1], re.split(r"[\r\n]", after, maxsplit=1)[0]
    return f"{'…' if len(start) > SHOWN else ''}{start[-SHOWN:]}{end[:SHOWN]}{'…' if len(end) > SHOWN else ''}"


def open_text(where: str, file: SourceFile, encoding: str) -> CsvText | None:
    """Recognise how a CSV file is encoded; None for a file that holds nothing.

    Raises:
        SourceError: the file is of another format, or cannot be unpacked.
    """
    try:
        with open_unpacked(file.path) as stream:
            head = stream.read(64)
    except OSError as error:
        raise SourceError(f"{where}: {file.shown} cannot be read ({error}); deliver the file again") from error
    for magic, format_name in OTHER_FORMATS.items():
        if head.startswith(magic):
            raise SourceError(f"{where}: found {file.shown} to be {format_name}")
    mark = mark_of(head)
    if head == mark:  # it may be empty
        return None
    return CsvText(where, file, MARKS[mark] if mark else _unmarked(head, encoding), len(mark))


def _unmarked(head: bytes, said: str) -> str:
    """Return the encoding without a byte order mark: as said, but UTF-16 where most other bytes are nil."""
    name = codecs.lookup(said).name
    if name in (UTF_8, "utf-16"):
        even, odd = head[::2].count(0), head[1::2].count(0)
        if odd > len(head) / 4 and not even:
            return "utf-16-le"
        if even > len(head) / 4 and not odd:
            return "utf-16-be"
    return f"{name}-le" if name in ("utf-16", "utf-32") else said


def open_unpacked(path: Path) -> pa.NativeFile:
    """Open a file, unpacked if its first bytes are those of gzip, bzip2 or zstd; its name does not matter."""
    with path.open("rb") as file:
        head = file.read(4)
    packed = next((packing for magic, packing in PACKED.items() if head.startswith(magic)), None)
    return pa.input_stream(path, compression=packed)


class TextStream(io.RawIOBase):
    """Blocks of bytes as a file for reading."""

    def __init__(self, blocks: Iterator[bytes], first: bytes = b"") -> None:
        super().__init__()
        self._blocks, self._rest = blocks, first

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = block
        taken, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return taken
