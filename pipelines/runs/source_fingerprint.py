"""A digest of the state of a shop's sources, cheap enough to take before every run."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from components.contracts.feedback import SERVED_SOURCE
from components.home.layout import Home
from components.home.presence import status_of
from components.shop.settings import Shop, Source

Print = tuple[str, ...]


def sources_fingerprint(shop: Shop, home: Home | None = None) -> str:
    """Digest every source: its files by size and time of change, its SQL table by content.

    Args:
        home: digest what its service logged, too.

    Raises:
        SourceError: a source cannot be reached.
    """
    digest = hashlib.sha256()
    for name, source in shop_sources(shop):
        for part in _database_prints(name, source) if source.kind == "sql" else _file_prints(name, source):
            digest.update(repr((name, *part)).encode())
    if home is not None and status_of(home.feedback) is not None:
        digest.update(repr((SERVED_SOURCE, *_feedback_print(shop, home))).encode())
    return digest.hexdigest()[:16]


def shop_sources(shop: Shop) -> Iterator[tuple[str, Source]]:
    """Yield every source of a shop by its name."""
    for events in shop.events:
        yield events.name, events.source
    for name in ("items", "users", "promotions", "impressions"):
        section = getattr(shop, name)
        if section is not None:
            yield name, section.source


def _feedback_print(shop: Shop, home: Home) -> Print:
    """Where the events end, and when the newest list that is ripe was logged: what is dropped changes neither."""
    from components.feedback.reading import end_of_events, newest_list

    over = datetime.now(UTC) - timedelta(minutes=shop.feedback.session_minutes)
    return str(end_of_events(home)), str(newest_list(home, over))


def _file_prints(name: str, source: Source) -> Iterator[Print]:
    from components.ingest_events.files.locations import source_files

    for file in source_files(name, source).data:
        yield file.key, *map(str, file.state())


def _database_prints(name: str, source: Source) -> Iterator[Print]:
    """With a cursor: its newest value and the number of rows; without one: the rows, whatever their order."""
    import sqlalchemy as sa

    from components.ingest_events.databases.sql_tables import open_database

    with open_database(name, source) as database:
        if database.cursor is not None:
            database.columns()  # names a cursor that is no column
            counted = sa.select(sa.func.count()).select_from(database.table)
            yield str(database.newest()), str(database.connection.execute(counted).scalar())
            return
        total = 0
        for row in database.connection.execute(sa.select(sa.text("*")).select_from(database.table)):
            total += int.from_bytes(hashlib.blake2b(repr(tuple(row)).encode(), digest_size=8).digest(), "little")
        yield (str(total),)
