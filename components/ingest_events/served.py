"""The built-in source ``served``: the lists that the service showed, and the events that came back.

A row is known by its event's id, or by its request's id and place, so that what is read again is the same row. A list
waits until the session in which it was shown is over; then what was seen of it is known. Features are taken as served,
to the bit but for the sign of a zero, which DuckDB does not keep.

Offsets are positions, never times: the segments of events, and the files of the table of lists, that were read to
their end. What a machine's wrong clock dates decides when a list is ripe, but not whether it is read.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from components.contracts.feedback import SERVED, SERVED_SOURCE
from components.contracts.tables import RAW
from components.feedback.journal.segments import is_closed, segments
from components.feedback.places import Places
from components.feedback.reading import events_of, waiting_lists
from components.home.layout import Home
from components.home.tombstones import Tombstones
from components.ingest_events.forgotten import leave_out_forgotten
from components.ingest_events.growing import IDENTITY_LETTERS, SourceFacts, growth_notes
from components.lake.id_sql import id_sql
from components.lake.rows import CountedRows
from components.lake.session import delta_relation, parquet_relation, text
from components.lake.tables import append_rows, table_files
from components.shop.settings import EventType, Feedback

LISTS = "served_lists"  # name of the lists among the facts; in raw impressions their source is ``served``
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
WRONG = timedelta(days=1)  # a list that is dated further ahead was logged by a wrong clock, and waits for no session


def read_served(
    session: duckdb.DuckDBPyConnection, feedback: Feedback, home: Home, now: datetime
) -> dict[str, SourceFacts]:
    """Append what is new in the service's log to the raw events and impressions, with the offsets in each commit.

    Args:
        now: by the machine's clock, as lists are stamped when they are logged.
    """
    ripe = _ripe(now, timedelta(minutes=feedback.session_minutes))
    read = frozenset(_offsets(home, "events").get("segments", ()))
    events = _grow_events(session, home, feedback.events)
    return {SERVED_SOURCE: events, LISTS: _grow_lists(session, home, ripe, now, read)}


def _grow_events(session: duckdb.DuckDBPyConnection, home: Home, types: Sequence[EventType]) -> SourceFacts:
    every = segments(Places(home.feedback).events)
    read = set(_offsets(home, "events").get("segments", ()))
    unread = [segment for segment in every if segment.name not in read]
    finished = {segment.name for segment in unread if is_closed(segment)}  # before it is read: nothing comes after
    session.register("served_events", events_of(unread))
    kept = [segment.name for segment in every if segment.name in read | finished]
    return _append(session, home, "events", _events_sql(types), {"segments": kept})


def _events_sql(types: Sequence[EventType]) -> str:
    """SQL of the events as raw rows; what a caller dates ahead happened when the service took it."""
    wanted = ", ".join(map(text, types)) or "NULL"
    return (
        f"SELECT {_identity('event_id')} AS row_id, NULL AS problem, NULL AS found, event_id, "
        "least(event_time, coalesce(taken_at, event_time)) AS event_time, "
        f"coalesce(taken_at, event_time) AS ingested_at, {id_sql('user_id')} AS user_id, "
        f"{id_sql('item_id')} AS item_id, event_type, "
        "coalesce(quantity, CASE WHEN event_type = 'purchase' THEN 1.0 END) AS quantity, price, NULL AS list_price, "
        f"session_id, request_id, {text(SERVED_SOURCE)} AS source FROM served_events "
        f"WHERE event_type IN ({wanted}) "
        "QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY received_at, event_time) = 1"
    )


def _ripe(now: datetime, session: timedelta) -> str:
    """Return SQL of whether the session of a list is over."""
    over, wrong = (text(moment.isoformat()) for moment in (now - session, now + WRONG))
    return f"(logged_at <= TIMESTAMPTZ {over} OR logged_at > TIMESTAMPTZ {wrong})"


def _grow_lists(
    session: duckdb.DuckDBPyConnection, home: Home, ripe: str, now: datetime, read: Collection[str]
) -> SourceFacts:
    """Append the lists that are ripe; ``read`` are the segments of events that earlier ingestions read to their end."""
    places = Places(home.feedback)
    session.register("waiting_lists", waiting_lists(home))  # before the table: what moves meanwhile is in both
    files = {Path(file).name: file for file in table_files(places.impressions)}
    finished = set(_offsets(home, "impressions").get("files", ())) & files.keys()
    _stage_lists(session, home, ripe, [file for name, file in files.items() if name not in finished])
    first: datetime | None
    first, last = session.execute("SELECT min(logged_at), max(logged_at) FROM ripe_lists").fetchall()[0]
    if first is None:
        return SourceFacts()
    since = first if last <= now else BEGINNING
    naming = [each for each in segments(places.events) if each.name not in read or _is_since(each, since)]
    session.register("served_events", events_of(naming))
    unripe = session.execute(f"SELECT DISTINCT file FROM staged_lists WHERE NOT {ripe}").fetchall()
    kept = sorted(files.keys() - {file for (file,) in unripe})
    return _append(session, home, "impressions", LISTS_SQL, {"files": kept})


def _is_since(segment: Path, moment: datetime) -> bool:
    return segment.stat().st_mtime >= moment.timestamp()


def _stage_lists(session: duckdb.DuckDBPyConnection, home: Home, ripe: str, files: list[str]) -> None:
    """Make ``staged_lists``, what may be new and where it lies, and ``ripe_lists``, what of it the raw table lacks."""
    columns, moved = ", ".join(SERVED.names), parquet_relation(files, SERVED, filename=True)
    session.execute(
        f"CREATE OR REPLACE TEMP VIEW logged_lists AS SELECT {columns}, parse_filename(filename) AS file FROM {moved} "
        "UNION ALL BY NAME SELECT *, '' AS file FROM waiting_lists"
    )
    session.execute("CREATE OR REPLACE TEMP TABLE staged_lists AS SELECT request_id, logged_at, file FROM logged_lists")
    known = delta_relation(home.raw / "impressions", RAW["impressions"])
    session.execute(
        "CREATE OR REPLACE TEMP TABLE ripe_lists AS SELECT logged_lists.* EXCLUDE (file) FROM logged_lists "
        f"LEFT JOIN (SELECT request_id, count(*) AS places FROM {known} WHERE source = {text(SERVED_SOURCE)} "
        f"GROUP BY request_id) USING (request_id) WHERE {ripe} AND coalesce(places, 0) < len(item_ids) "
        "QUALIFY row_number() OVER (PARTITION BY request_id ORDER BY logged_at) = 1"
    )


def _identity(*columns: str) -> str:
    return f"left(md5(concat_ws(chr(31), {text(SERVED_SOURCE)}, {', '.join(columns)})), {IDENTITY_LETTERS})"


SERVED_TEXT = text(SERVED_SOURCE)
IDENTITY = {"events": _identity("event_id"), "impressions": _identity("request_id", "position")}

# Where a request has acknowledgements, the items that its events name were shown, and no others.
LISTS_SQL = (
    "WITH named AS (SELECT request_id, item_id, event_type FROM served_events WHERE request_id IS NOT NULL), "
    "placed AS (SELECT *, unnest(range(1, len(item_ids) + 1)) AS place, "
    "CASE WHEN len(features) > 0 AND len(features) % len(item_ids) = 0 "
    "THEN len(features) // len(item_ids) END AS width FROM ripe_lists) "
    f"SELECT {_identity('request_id', 'place')} AS row_id, NULL AS problem, NULL AS found, request_id, event_time, "
    f"{id_sql('user_id')} AS user_id, bundle, arm, context, item_ids[place] AS item_id, "
    "CAST(place AS INTEGER) AS position, "
    "CASE WHEN NOT isnan(scores[place]) THEN scores[place] END AS score, propensities[place] AS propensity, "
    "CASE WHEN width IS NOT NULL THEN features[(place - 1) * width + 1 : place * width] END AS features, "
    f"feature_list, {text(SERVED_SOURCE)} AS source, event_time AS ingested_at FROM placed "
    "WHERE request_id NOT IN (SELECT request_id FROM named WHERE event_type = 'shown') "
    "OR (request_id, item_ids[place]) IN (SELECT (request_id, item_id) FROM named)"
)


def _offsets(home: Home, table: str) -> dict[str, Any]:
    found: dict[str, Any] = growth_notes(home.raw / table)["sources"].get(SERVED_SOURCE, {})
    return found


def _append(
    session: duckdb.DuckDBPyConnection, home: Home, table: str, rows: str, offsets: dict[str, Any]
) -> SourceFacts:
    """Append the rows that the raw table lacks. Everything that is served passes here.

    A row is known by what it holds, for a stand-in may have taken a user's place in its id since it was read.
    """
    uri, schema = home.raw / table, RAW[table]
    notes = growth_notes(uri)
    known = f"(SELECT {IDENTITY[table]} AS row_id FROM {delta_relation(uri, schema)} WHERE source = {SERVED_TEXT})"
    batch = notes["batch"] + 1
    new = (
        f"SELECT {', '.join(schema.names)} FROM (SELECT *, {batch} AS batch FROM ({rows})) "
        f"ANTI JOIN {known} USING (row_id)"
    )
    session.execute(f"CREATE OR REPLACE TEMP TABLE new_served AS {new}")
    leave_out_forgotten(session, "new_served", Tombstones(home.tombstones))
    if not session.execute("SELECT 1 FROM new_served LIMIT 1").fetchall():
        return SourceFacts()
    counted = CountedRows(session, "FROM new_served", schema)
    after = notes | {"batch": batch, "sources": notes["sources"] | {SERVED_SOURCE: offsets}}
    append_rows(uri, counted.reader, after)
    return SourceFacts(rows_read=counted.count, rows_new=counted.count)
