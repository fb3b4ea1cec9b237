"""Standard output and standard error on any machine: a write that fails never changes what a command does.

A terminal that lacks a letter shows a question mark, a reader that has left is not written to, and a full disk is
named once the command has done its work.
"""

import io
import json
import locale
import os
import select
import sys
from typing import Any, NoReturn

from components.contracts.errors import RankloopError

STANDARD = (0, 1, 2)


class OutputError(RankloopError):
    """The document that a program waits for could not be written."""


class LastingFile(io.FileIO):
    """A file descriptor whose first failed write ends all writing, and is kept as ``failure``."""

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write, or do as if: return how many bytes were taken."""
        if self.failure is None:
            try:
                while (written := super().write(data)) is None:  # the reader wants no waiting, and is slow
                    select.select([], [self], [])
                return written
            except OSError as error:
                self.failure = error
        return memoryview(data).nbytes


def lasting_stream(descriptor: int, encoding: str) -> io.TextIOWrapper:
    """Open a text stream over a descriptor that it does not close; letters that the encoding lacks are replaced."""
    file = io.BufferedWriter(LastingFile(descriptor, "w", closefd=False))
    return io.TextIOWrapper(file, encoding, errors="replace", line_buffering=descriptor == 2 or os.isatty(descriptor))


def use_lasting_streams() -> None:
    """Replace standard output and error; where one of the three standard files was closed, open it to nothing."""
    for descriptor in STANDARD:
        _ensure_open(descriptor)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout, sys.stderr = (lasting_stream(descriptor, encoding) for descriptor in STANDARD[1:])


def _ensure_open(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def failed_write(stream: object) -> OSError | None:
    """Return the failure of a stream's last write, None where there is none or its reader has just left."""
    file = getattr(getattr(stream, "buffer", None), "raw", None)
    failure = file.failure if isinstance(file, LastingFile) else None
    return None if isinstance(failure, BrokenPipeError) else failure


def print_json(document: object) -> None:
    """Print one JSON document on standard output, in ASCII where the encoding lacks a letter.

    Raises:
        OutputError: it could not be written.
    """
    text = json.dumps(document, indent=1, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(document, indent=1)
    print(text)
    require_written()


def require_written() -> None:
    """Flush standard output.

    Raises:
        OutputError: something of it could not be written, though its reader is there.
    """
    sys.stdout.flush()
    if failure := failed_write(sys.stdout):
        raise OutputError(
            f"standard output cannot be written ({failure.strerror}), so that what stood there is lost; "
            "the command itself has done its work"
        )


def use_utf8() -> None:
    """Start this process again in Python's UTF-8 mode where the locale has another encoding than that.

    Files are always UTF-8; what is written to the terminal keeps the encoding of its locale.
    """
    if sys.flags.utf8_mode or locale.getencoding().lower().replace("-", "") == "utf8":
        return
    _start_again({"PYTHONUTF8": "1", "PYTHONIOENCODING": getattr(sys.stdout, "encoding", None) or "utf-8"})


def _start_again(variables: dict[str, str]) -> NoReturn:
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | variables)
