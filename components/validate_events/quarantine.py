"""The quarantine: every row that did not pass, with its reason, as it was found."""

from dataclasses import asdict
from datetime import datetime

import duckdb

from components.contracts.tables import QUARANTINE
from components.home.layout import Home
from components.lake.session import quote_literal, stream_rows
from components.lake.tables import Notes, append_rows, read_notes, replace_rows
from components.validate_events.replacement import Replacement
from components.validate_events.rows.pending_rows import PendingRows, read_watermark


def quarantine_pending_rows(session: duckdb.DuckDBPyConnection, home: Home, pending: PendingRows) -> None:
    """Keep a growing table's rejected rows, each once, also when an earlier run was killed half-way."""
    notes = read_notes(home.quarantine)
    before = read_watermark(notes.get(pending.table, {}))
    if pending.is_empty or before == pending.after:
        return
    rebuild = not pending.after.follows(before)
    since = 0 if rebuild else before.batch
    rejected = f"""
        SELECT reason, source, row, ingested_at
        FROM {pending.validated}
        WHERE reason IS NOT NULL AND batch > {since}
        """
    after = notes | {pending.table: {"mark": asdict(pending.after)}}
    _write(session, home, pending.table, rejected, after, rebuild=rebuild and pending.table in notes)


def quarantine_snapshot(
    session: duckdb.DuckDBPyConnection, home: Home, replacement: Replacement, now: datetime
) -> None:
    """Replace a snapshot table's rejected rows by those of its newest content."""
    notes = read_notes(home.quarantine)
    if notes.get(replacement.table) == replacement.origin:
        return
    rejected = f"""
        SELECT
            reason,
            {quote_literal(replacement.table)} AS source,
            row,
            TIMESTAMPTZ {quote_literal(now.isoformat())} AS ingested_at
        FROM {replacement.validated}
        WHERE reason IS NOT NULL
        """
    after = notes | {replacement.table: replacement.origin}
    _write(session, home, replacement.table, rejected, after, rebuild=replacement.table in notes)


def _write(
    session: duckdb.DuckDBPyConnection, home: Home, table: str, rejected: str, notes: Notes, rebuild: bool
) -> None:
    sql = f'SELECT {quote_literal(table)} AS "table", source, reason, row, ingested_at FROM ({rejected})'
    rows = stream_rows(session, sql, QUARANTINE)
    if rebuild:
        replace_rows(home.quarantine, rows, notes, where=f'"table" = {quote_literal(table)}')
    else:
        append_rows(home.quarantine, rows, notes)
