"""What a snapshot is computed from, as a digest: the key under which its features are kept.

The digest of a moment covers exactly the event rows that were known then (``event_time`` before it, ``available_at``
not after it), whatever the order in which they arrived and however the table is laid out. A row that arrives late
changes the digests of the moments from its ``available_at`` on, and of no others.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import duckdb

from components.contracts.tables import EVENTS
from components.lake.resources import small_memory
from components.lake.session import delta_relation, duckdb_session, quote_literal

_UNTOLD = {"ingested_at"}  # differs between homes that hold the same data


def snapshot_digests(events: Path, version: int, moments: Sequence[datetime]) -> dict[datetime, str]:
    """Digest the event rows known at each moment; one pass over the table.

    Args:
        moments: with a zone, in any order.
    """
    ordered = sorted(set(moments))
    if not ordered:
        return {}
    columns = [column for column in EVENTS.names if column not in _UNTOLD]
    known = "greatest(event_time + INTERVAL 1 MICROSECOND, available_at)"
    sql = (
        f"SELECT {_first_moment(known, ordered)} AS moment, count(*), sum(hash({', '.join(columns)})) "
        f"FROM {delta_relation(events, EVENTS, version)} GROUP BY moment HAVING moment < {len(ordered)}"
    )
    with duckdb_session(memory_limit=small_memory()) as session:  # beside the engine of features
        found = {moment: (count, total) for moment, count, total in session.execute(sql).fetchall()}
    digests, rows, content = {}, 0, 0
    for index, moment in enumerate(ordered):
        count, total = found.get(index, (0, 0))
        rows, content = rows + count, (content + int(total)) % 2**128
        digests[moment] = _digest(f"{rows}:{content}")
    return digests


def _first_moment(known: str, moments: Sequence[datetime], start: int = 0) -> str:
    """SQL of the index of the first moment at which a row is known, by bisection; ``start + len`` if none is."""
    if not moments:
        return str(start)
    middle = len(moments) // 2
    earlier = _first_moment(known, moments[:middle], start)
    later = _first_moment(known, moments[middle + 1 :], start + middle + 1)
    boundary = f"{known} <= TIMESTAMPTZ {quote_literal(moments[middle].isoformat())}"
    return f"CASE WHEN {boundary} THEN {earlier} ELSE {later} END"


def _digest(content: str) -> str:
    return hashlib.sha256(f"duckdb-{duckdb.__version__}:{content}".encode()).hexdigest()[:24]
