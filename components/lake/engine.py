"""The one switch of the engine, ``open_workspace``: DuckDB on one machine; a cluster brings another."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ibis

from components.lake.resources import small_memory
from components.lake.workspace import Workspace


@dataclass(frozen=True)
class EngineSettings:
    """Bounds of an engine; None is what this process may use."""

    memory_limit: str | None = None
    threads: int | None = None


@contextmanager
def open_workspace(settings: EngineSettings = EngineSettings()) -> Iterator[Workspace]:
    """Open the engine that settings choose, in UTC: today DuckDB is the only one.

    Raises:
        SourceError: the engine ran out of memory or disk.
        ConfigurationError: a variable holds no size or no number of threads.
    """
    from components.lake.duckdb_workspace import open_duckdb  # only the engine that is chosen is imported

    with open_duckdb(settings.memory_limit, settings.threads) as workspace:
        yield workspace


@contextmanager
def default_engine() -> Iterator[None]:
    """Make this engine Ibis's default backend, which Feast uses, with the same bounds."""
    with open_workspace(EngineSettings(small_memory())) as workspace:
        ibis.set_backend(workspace.backend)
        try:
            yield
        finally:
            ibis.options.default_backend = None
