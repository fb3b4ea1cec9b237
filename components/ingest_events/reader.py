"""What a reader of a source does, and which one reads which kind."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from components.home.layout import Home
from components.ingest_events.offsets import Offsets
from components.shop.sources import DeltaSource, FeedbackSource, FileSource, Source, SqlSource

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from components.ingest_events.mapping.columns import Ask, Layout

READERS: dict[type[Any], tuple[str, str]] = {
    FileSource: ("files", "FileReader"),
    DeltaSource: ("delta_tables", "DeltaReader"),
    SqlSource: ("sql_tables", "SqlReader"),
    FeedbackSource: ("feedback", "FeedbackReader"),
}
"""Of each kind the module and the reader in it; imported when a source is of that kind, for some bring databases."""

Print = tuple[str, ...]


@dataclass(frozen=True)
class Staged:
    """Rows of a source, in relations of the session, and the offsets to commit with them."""

    layouts: "tuple[Layout, ...]"  # none: nothing is new
    after: Offsets
    files_read: int = 0
    left_out: dict[str, str] = field(default_factory=dict)  # files beside the data, each with the reason
    cursor: str | None = None  # a column that tells rows apart although no key of the shop file names it


@dataclass(frozen=True)
class SourceContext:
    """The context of a reader beside the settings of its source."""

    where: str  # names the source in errors
    table: str  # the raw table that its rows are for
    zone: ZoneInfo  # the shop's
    now: datetime  # by the machine's clock
    home: Home | None = None
    scratch: Path = Path()  # a folder for files that are fetched; it outlives the reading


class SourceReader(Protocol):
    """Reads a source of one kind."""

    def stage(self, session: "DuckDBPyConnection", known: Offsets, ask: "Ask", whole: bool) -> Staged:
        """Bring rows into relations of a session.

        Args:
            known: how far the source was read before.
            ask: to call with the columns of each layout before its rows are read.
            whole: if anything has changed, stage all rows and not the new ones alone.

        Raises:
            SourceError: the source cannot be read, or lacks a mapped column.
        """
        ...

    def fingerprint(self) -> Iterator[Print]:
        """Describe the source's content in a few words: cheap, and different if ``stage`` would find new rows.

        Raises:
            SourceError: the source cannot be reached.
        """
        ...


def open_reader(source: Source, context: SourceContext) -> SourceReader:
    """Return the reader of a source."""
    module, reader = next(READERS[kind] for kind in type(source).__mro__ if kind in READERS)
    opened: SourceReader = getattr(import_module(f"{__package__}.sources.{module}"), reader)(source, context)
    return opened
