"""The service's own log as a source: the lists that it showed, and the events that came back.

A row is known by its event's id, or by its request's id and place, so that what is read again is the same row. A list
waits until the session in which it was shown is over; then what was seen of it is known. Features are taken as served,
to the bit but for the sign of a zero, which DuckDB does not keep.

Offsets are positions, never times: the segments of events, and the files of the table of lists, that were read to
their end. What a machine's wrong clock dates decides when a list is ripe, but not whether it is read.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from components.contracts.feedback import SERVED, SERVED_SOURCE
from components.contracts.tables import RAW
from components.feedback.reading import end_of_events, events_of, newest_list, waiting_lists
from components.feedback.segments.late_lines import forgotten_in, remove_lines
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.segments.segment import Segment, list_segments
from components.home.storage.locations import Location
from components.home.tombstones import Tombstones
from components.ingest_events.mapping.columns import FILE, Ask, Layout, SourceColumns, row_identity
from components.ingest_events.offsets import Offsets
from components.ingest_events.reader import Print, SourceContext, Staged
from components.lake.id_sql import id_sql
from components.lake.session import delta_relation, parquet_relation, quote_literal
from components.lake.tables import read_notes, table_files
from components.shop.sources import CellSource, FeedbackSource

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
WRONG = timedelta(days=1)  # a list that is dated further ahead was logged by a wrong clock, and waits for no session
SEGMENTS, FILES = "segments", "files"  # the positions of the events and of the lists
NEW_ROWS = "new_served"
SERVED_TEXT = quote_literal(SERVED_SOURCE)


class FeedbackReader:
    """Reads the log of a home's service: its events or its lists, by the table."""

    def __init__(self, source: FeedbackSource, context: SourceContext) -> None:
        assert context.home is not None
        self._source, self._context, self._home = source, context, context.home
        notes = read_notes(self._home.raw / "events").get("sources", {}).get(SERVED_SOURCE, {})
        self._segments_before = frozenset(notes.get(SEGMENTS, ()))  # before this ingestion reads any

    def stage(self, session: duckdb.DuckDBPyConnection, known: Offsets, ask: Ask, whole: bool) -> Staged:
        """Stage the rows that the raw table lacks."""
        read = self._stage_events if self._context.table == "events" else self._stage_lists
        after = read(session, known)
        if not session.execute(f"SELECT 1 FROM {NEW_ROWS} LIMIT 1").fetchall():
            return Staged((), known)
        kinds = dict.fromkeys(RAW[self._context.table].names, "")
        columns = SourceColumns(self._context.where, kinds, CellSource(), self._context.zone)
        ask(columns)
        return Staged((Layout(columns, NEW_ROWS),), after)

    def fingerprint(self) -> Iterator[Print]:
        """Say where the events end, and when the newest ripe list was logged: what is dropped changes neither."""
        over = self._context.now - timedelta(minutes=self._source.session_minutes)
        yield str(end_of_events(self._home)), str(newest_list(self._home, over))

    def _stage_events(self, session: duckdb.DuckDBPyConnection, known: Offsets) -> Offsets:
        listed = list_segments(FeedbackLayout(self._home.feedback).events)
        read = set(known.positions.get(SEGMENTS, ()))
        unread = [segment for segment in listed if segment.name not in read]
        finished = {segment.name for segment in unread if segment.is_sealed()}  # before it is read: nothing comes after
        events = events_of(unread)
        session.register("served_events", events)
        remove_lines(unread, forgotten_in(events, Tombstones(self._home.tombstones)))
        self._keep_unknown(session, self._events_sql(), _identity("event_id"))
        kept = [segment.name for segment in listed if segment.name in read | finished]
        return replace(known, positions={SEGMENTS: kept})

    def _events_sql(self) -> str:
        """Return SQL of the events as raw rows; what a caller dates ahead happened when the service took it."""
        return f"""
            SELECT
                {_identity("event_id")} AS row_id,
                event_id,
                least(event_time, coalesce(taken_at, event_time)) AS event_time,
                coalesce(taken_at, event_time) AS ingested_at,
                {id_sql("user_id")} AS user_id,
                {id_sql("item_id")} AS item_id,
                event_type,
                coalesce(quantity, CASE WHEN event_type = 'purchase' THEN 1.0 END) AS quantity,
                price,
                NULL AS list_price,
                session_id,
                request_id,
                {SERVED_TEXT} AS source
            FROM served_events
            WHERE event_type IN ({", ".join(map(quote_literal, self._source.events)) or "NULL"})
            QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY received_at, event_time) = 1
            """

    def _stage_lists(self, session: duckdb.DuckDBPyConnection, known: Offsets) -> Offsets:
        """Stage the lists that are ripe, with what their events say was seen of them."""
        layout = FeedbackLayout(self._home.feedback)
        session.register("waiting_lists", waiting_lists(self._home))  # before the table: what moves is in both
        files = {Path(file).name: file for file in table_files(layout.impressions)}
        finished = set(known.positions.get(FILES, ())) & files.keys()
        self._stage_ripe(session, [file for name, file in files.items() if name not in finished])
        first, last = session.execute("SELECT min(logged_at), max(logged_at) FROM ripe_lists").fetchall()[0]
        since = first if last is None or last <= self._context.now else BEGINNING
        session.register("served_events", events_of(self._naming_segments(layout.events, since)))
        self._keep_unknown(session, LISTS_SQL, _identity("request_id", "position"))
        unripe = session.execute(f"SELECT DISTINCT file FROM staged_lists WHERE NOT {self._ripe}").fetchall()
        return replace(known, positions={FILES: sorted(files.keys() - {file for (file,) in unripe})})

    def _naming_segments(self, events: Location, since: datetime | None) -> list[Segment]:
        """Return the segments whose events may name a list that is ripe; none where no list is."""
        if since is None:
            return []
        read, start_ns = self._segments_before, since.timestamp() * 1e9
        segments = list_segments(events)
        return [segment for segment in segments if segment.name not in read or segment.changed_ns >= start_ns]

    @property
    def _ripe(self) -> str:
        """Return SQL of whether the session of a list is over."""
        over, wrong = self._context.now - timedelta(minutes=self._source.session_minutes), self._context.now + WRONG
        return (
            f"(logged_at <= TIMESTAMPTZ {quote_literal(over.isoformat())} "
            f"OR logged_at > TIMESTAMPTZ {quote_literal(wrong.isoformat())})"
        )

    def _stage_ripe(self, session: duckdb.DuckDBPyConnection, files: list[str]) -> None:
        """Make ``staged_lists``, what may be new and where it lies, and ``ripe_lists``, what the raw table lacks."""
        session.execute(f"""
            CREATE OR REPLACE TEMP VIEW logged_lists AS
            SELECT {", ".join(SERVED.names)}, parse_filename(filename) AS file
            FROM {parquet_relation(files, SERVED, filename=True)}
            UNION ALL BY NAME
            SELECT *, '' AS file FROM waiting_lists
            """)
        session.execute("""
            CREATE OR REPLACE TEMP TABLE staged_lists AS
            SELECT request_id, logged_at, file FROM logged_lists
            """)
        session.execute(f"""
            CREATE OR REPLACE TEMP TABLE ripe_lists AS
            SELECT logged_lists.* EXCLUDE (file)
            FROM logged_lists
            LEFT JOIN (
                SELECT request_id, count(*) AS places
                FROM {delta_relation(self._home.raw / "impressions", RAW["impressions"])}
                WHERE source = {SERVED_TEXT}
                GROUP BY request_id
            ) USING (request_id)
            WHERE {self._ripe} AND coalesce(places, 0) < len(item_ids)
            QUALIFY row_number() OVER (PARTITION BY request_id ORDER BY logged_at) = 1
            """)

    def _keep_unknown(self, session: duckdb.DuckDBPyConnection, rows: str, identity: str) -> None:
        """Make the table of those rows that the raw table lacks.

        A row is known by what it holds, for a stand-in may have taken a user's place in its id since it was read.
        """
        table = self._context.table
        session.execute(f"""
            CREATE OR REPLACE TEMP TABLE {NEW_ROWS} AS
            SELECT *, '' AS {FILE}
            FROM ({rows})
            ANTI JOIN (
                SELECT {identity} AS row_id
                FROM {delta_relation(self._home.raw / table, RAW[table])}
                WHERE source = {SERVED_TEXT}
            ) USING (row_id)
            """)


def _identity(*columns: str) -> str:
    return row_identity([SERVED_TEXT, *columns])


# Where a request has acknowledgements, the items that its events name were shown, and no others.
LISTS_SQL = f"""
    WITH named AS (
        SELECT request_id, item_id, event_type FROM served_events WHERE request_id IS NOT NULL
    ),
    placed AS (
        SELECT
            *,
            unnest(range(1, len(item_ids) + 1)) AS place,
            CASE
                WHEN len(features) > 0 AND len(features) % len(item_ids) = 0
                THEN len(features) // len(item_ids)
            END AS width
        FROM ripe_lists
    )
    SELECT
        {_identity("request_id", "place")} AS row_id,
        request_id,
        event_time,
        {id_sql("user_id")} AS user_id,
        bundle,
        arm,
        context,
        item_ids[place] AS item_id,
        CAST(place AS INTEGER) AS position,
        CASE WHEN NOT isnan(scores[place]) THEN scores[place] END AS score,
        propensities[place] AS propensity,
        CASE WHEN width IS NOT NULL THEN features[(place - 1) * width + 1 : place * width] END AS features,
        feature_list,
        {SERVED_TEXT} AS source,
        event_time AS ingested_at
    FROM placed
    WHERE request_id NOT IN (SELECT request_id FROM named WHERE event_type = 'shown')
        OR (request_id, item_ids[place]) IN (SELECT (request_id, item_id) FROM named)
    """
