"""What is new in a raw table that only grows, and how it becomes clean."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import duckdb

from components.contracts.handles import Handle
from components.contracts.ids import nobody_words
from components.contracts.tables import CANONICAL, RAW
from components.home.layout import Home
from components.lake.session import delta_relation, stream_rows
from components.lake.tables import append_rows, read_notes, replace_rows
from components.lake.zones import local_day_sql
from components.shop.settings import Shop
from components.validate_events.rows.checks import REPEATED, validated_events, validated_impressions, within_clocks
from components.validate_events.rows.clocks import FarRows, far_rows
from components.validate_events.rows.identity import with_known_users
from components.validate_events.rows.sources import event_sources, first_batches, of_named_sources

REVALIDATED = {"name", "event_type", "types", "lag_minutes", "live"}
CLEAN_LAYOUT = 2  # of the clean catalogue: when it changes, a home makes its own again


@dataclass(frozen=True)
class Watermark:
    """The part of a raw table that has been validated, and the rules; kept in the notes of each table that it feeds."""

    batch: int
    generation: int  # grows when a source is read again under another mapping
    settings: str  # digest of the contract's rules
    far: tuple[FarRows, ...] = ()  # rows that a wrong clock dated
    turn: int = 0  # grows when rows that were validated before are validated otherwise, because of their clocks

    def follows(self, other: "Watermark") -> bool:
        """Return whether this watermark only adds batches to another; otherwise everything is validated again."""
        return (self.generation, self.settings, self.turn) == (other.generation, other.settings, other.turn)

    def continues(self, other: "Watermark") -> bool:
        """Return whether this watermark covers the same rows and rules as another."""
        return (self.batch, self.generation, self.settings) == (other.batch, other.generation, other.settings)


NOTHING = Watermark(batch=0, generation=-1, settings="")


@dataclass(frozen=True)
class PendingRows:
    """The raw rows that the clean table lacks: the view ``validated`` in the session, and both watermarks."""

    table: str  # events or impressions
    validated: str  # view of the new rows, with reason
    before: Watermark
    after: Watermark

    @property
    def is_rebuild(self) -> bool:
        """Return whether the clean table is rebuilt."""
        return not self.after.follows(self.before)

    @property
    def is_empty(self) -> bool:
        return self.before == self.after


def find_pending_rows(
    session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, raw: Handle, table: str
) -> PendingRows:
    """Validate the raw rows that the clean table has not seen, into a view of the session."""
    version = raw.versions[table]
    notes = read_notes(home.raw / table, version)
    everything = delta_relation(home.raw / table, RAW[table], version)
    named = f"(SELECT * FROM {everything} WHERE {of_named_sources(shop, table)})"
    before = read_watermark(read_notes(home.clean / table))
    after = Watermark(notes["batch"], notes["generation"], digest_settings(shop, table), before.far, before.turn)
    if table == "events" and not after.continues(before):
        after = _with_clocks(session, shop, named, before, after)
    since = before.batch if after.follows(before) else 0
    rows = with_known_users(shop.contract, f"(SELECT * FROM {named} WHERE batch > {since})")
    pending = PendingRows(table, f"validated_{table}", before, after)
    if pending.is_empty:
        return pending
    if table == "impressions":
        session.execute(f"CREATE TEMP VIEW {pending.validated} AS {validated_impressions(shop.contract, rows)}")
    else:
        validated = validated_events(
            shop.contract, event_sources(shop), rows, first_batches(session, shop, everything), after.far, shop.zone
        )
        _create_view_of_events(session, home, pending, validated)
    return pending


def read_watermark(notes: dict[str, Any]) -> Watermark:
    """Return the watermark in a table's notes; the one before everything if there is none."""
    if "mark" not in notes:
        return NOTHING
    mark = notes["mark"]
    return Watermark(**mark | {"far": tuple(FarRows(**rows) for rows in mark.get("far", ()))})


def _with_clocks(
    session: duckdb.DuckDBPyConnection, shop: Shop, rows: str, before: Watermark, after: Watermark
) -> Watermark:
    """Look at the days of all raw rows: which are far from all others, and whether that changes what is known."""
    local_day = local_day_sql("event_time", shop.zone)
    counts = session.execute(f"""
        SELECT {local_day} AS day, count(*), count(*) FILTER (batch <= {before.batch})
        FROM {rows}
        WHERE problem IS NULL AND {within_clocks(shop.contract)}
        GROUP BY day
    """).fetchall()
    far = far_rows({day: count for day, count, _ in counts}, shop.contract)
    is_turned = any(known and _hold(before.far, day) != _hold(far, day) for day, _, known in counts)
    return replace(after, far=far, turn=before.turn + is_turned)


def _hold(far: tuple[FarRows, ...], day: date) -> bool:
    return any(rows.holds(day) for rows in far)


def _create_view_of_events(
    session: duckdb.DuckDBPyConnection, home: Home, pending: PendingRows, validated: str
) -> None:
    session.execute(f"CREATE TEMP VIEW validated_alone AS {validated}")
    session.execute(f"CREATE TEMP TABLE repeated AS {_repeated_rows(home, pending)}")
    repeated = session.execute("SELECT count(*) FROM repeated").fetchall()[0][0]
    if not repeated:
        session.execute(f"CREATE TEMP VIEW {pending.validated} AS FROM validated_alone")
        return
    session.execute(f"""
        CREATE TEMP VIEW {pending.validated} AS
        SELECT validated_alone.* REPLACE (
            CASE WHEN repeated.row_id IS NULL THEN reason ELSE '{REPEATED}' END AS reason
        )
        FROM validated_alone
        LEFT JOIN repeated USING (row_id)
    """)


def _repeated_rows(home: Home, pending: PendingRows) -> str:
    """Return SQL of the valid rows whose id an earlier row of their source has: the first known is kept.

    Among rows of one batch the earliest event is the first, so that cutting the data at a moment changes nothing.
    """
    valid = """(
        SELECT batch, row_id, source, event_id, event_time
        FROM validated_alone
        WHERE reason IS NULL AND given_id IS NOT NULL
    )"""
    repeated_in_batch = f"""
        SELECT row_id
        FROM (
            SELECT
                row_id,
                row_number() OVER (PARTITION BY source, event_id ORDER BY batch, event_time, row_id) AS occurrence
            FROM {valid}
            SEMI JOIN (
                SELECT source, event_id FROM {valid} GROUP BY ALL HAVING count(*) > 1
            ) USING (source, event_id)
        )
        WHERE occurrence > 1
    """
    if pending.is_rebuild:
        return repeated_in_batch
    return f"""
        {repeated_in_batch}
        UNION
        SELECT row_id
        FROM {valid}
        SEMI JOIN (
            SELECT source, event_id FROM {delta_relation(home.clean / "events", CANONICAL["events"])}
        ) USING (source, event_id)
    """


def write_clean_rows(session: duckdb.DuckDBPyConnection, home: Home, pending: PendingRows) -> None:
    """Append the valid rows to the clean table, or rebuild it, with the watermark in the same commit."""
    if pending.is_empty:
        return
    schema = CANONICAL[pending.table]
    rows = stream_rows(
        session, f"SELECT {', '.join(schema.names)} FROM {pending.validated} WHERE reason IS NULL", schema
    )
    write = replace_rows if pending.is_rebuild else append_rows
    write(home.clean / pending.table, rows, {"mark": asdict(pending.after)})


def digest_settings(shop: Shop, table: str) -> str:
    """Return a digest of what the shop file says about a clean table beyond how its source is read."""
    settings: object = {}
    if table == "events":
        events = [
            source.model_dump(include=REVALIDATED) | {"quantity": source.columns.quantity} for source in shop.events
        ]
        settings = [events, _row_limits(shop), *_words(shop), *_left_out(shop)]
    if table == "impressions":
        settings = [shop.impressions is not None, _row_limits(shop), *_words(shop), *_left_out(shop)]
    if table == "users":
        settings = [*_words(shop)] or {}
    if table == "items":
        rules = shop.rules.model_dump(
            include={"not_merchandise", "in_stock_only", "in_stock_words", "out_of_stock_words"}
        )
        mapped = shop.items.model_dump(exclude={"source"}) if shop.items else None
        settings = [CLEAN_LAYOUT, rules, shop.contract.max_price, mapped]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _words(shop: Shop) -> list[list[str]]:
    """Nothing without words, so that tables of shops that name none stand as they are."""
    return [sorted(nobody_words(shop.contract.no_user))] if shop.contract.no_user else []


def _left_out(shop: Shop) -> list[dict[str, list[str]]]:
    users = shop.contract.left_out_users
    return [{"left_out": sorted(users)}] if users else []


def _row_limits(shop: Shop) -> dict[str, float]:
    contract = shop.contract
    return {
        "quantity": contract.max_quantity,
        "price": contract.max_price,
        "future_minutes": contract.future_minutes,
        "earliest_year": contract.earliest_year,
        "max_gap_days": contract.max_gap_days,
        "tolerated_rows": contract.tolerated_rows,
    }
