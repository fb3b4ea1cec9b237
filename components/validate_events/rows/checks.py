"""The data contract as SQL: which raw rows are valid, why others are not, and the canonical form of valid rows."""

from collections.abc import Mapping, Sequence
from typing import get_args
from zoneinfo import ZoneInfo

from components.contracts.ids import id_text
from components.lake.session import quote_literal
from components.shop.settings import Contract, EventStream, EventType
from components.validate_events.rows.clocks import FarRows
from components.validate_events.rows.identity import id_reasons

KNOWN_TYPES = get_args(EventType)
REPEATED = "repeated event id"
UNKNOWN_TYPE = "unknown event type"
NO_ITEM = "no item"
LEFT_OUT = "user left out"
UTC = ZoneInfo("UTC")
LAST_POSITION = 10_000  # of a shown list; a higher position is an error in the log


def validated_events(
    contract: Contract,
    sources: Sequence[EventStream],
    raw: str,
    first_batches: Mapping[str, int],
    far: Sequence[FarRows] = (),
    zone: ZoneInfo = UTC,
) -> str:
    """Return SQL of raw event rows in canonical form, with ``reason`` (null if valid) and ``row`` (raw, as JSON).

    A purchase of a negative quantity is a return; quantities and money of returns are positive.

    Args:
        first_batches: of each live source, the batch that brought its history.
        far: rows with times of a wrong clock; their days are of the zone.
    """
    is_return = "(source_type = 'return' OR (source_type = 'purchase' AND quantity < 0))"
    return f"""
        SELECT
            batch,
            row_id,
            event_id AS given_id,
            {_event_reason(contract, far, zone)} AS reason,
            {_row(_SHOWN_OF_EVENT)} AS row,
            ingested_at,
            coalesce(event_id, row_id) AS event_id,
            event_time,
            {_available_at(sources, first_batches)} AS available_at,
            user_id,
            item_id,
            CASE WHEN {is_return} THEN 'return' ELSE source_type END AS event_type,
            {_quantity(sources)} AS quantity,
            CASE WHEN {is_return} THEN abs(price) ELSE price END AS price,
            CASE WHEN {is_return} THEN abs(list_price) ELSE list_price END AS list_price,
            session_id,
            request_id,
            source
        FROM (SELECT *, {_event_type(sources)} AS source_type FROM {raw})
    """


def validated_impressions(contract: Contract, raw: str) -> str:
    """Return SQL of raw impression rows in canonical form, with ``reason`` and ``row``."""
    reason = f"""
        CASE
            WHEN problem IS NOT NULL THEN problem
            WHEN request_id IS NULL THEN 'no request'
            WHEN item_id IS NULL THEN {quote_literal(NO_ITEM)}
            {id_reasons(("user_id", "item_id"))}
            WHEN position IS NULL OR position NOT BETWEEN 1 AND {LAST_POSITION}
                THEN 'position outside 1 to {LAST_POSITION:,}'
            WHEN propensity <= 0 OR propensity > 1 THEN 'propensity outside 0 to 1'
            {_time_reasons(contract)}
            {_left_out(contract)}
        END
    """
    shown = ("request_id", "event_time", "user_id", "item_id", "position", "score", "propensity")
    return f"SELECT *, {reason} AS reason, {_row(shown)} AS row FROM {raw}"


_SHOWN_OF_EVENT = (
    "event_id", "event_time", "user_id", "item_id", "event_type",
    "quantity", "price", "list_price", "session_id", "request_id",
)  # fmt: skip


def _row(columns: Sequence[str]) -> str:
    packed = ", ".join(f"{column} := {column}" for column in columns)
    return f"coalesce(found, CAST(to_json(struct_pack({packed})) AS VARCHAR))"


def _event_reason(contract: Contract, far: Sequence[FarRows], zone: ZoneInfo) -> str:
    wrong_clocks = " ".join(f"WHEN {rows.condition(zone)} THEN {quote_literal(rows.reason)}" for rows in far)
    max_price = repr(contract.max_price)
    return f"""
        CASE
            WHEN problem IS NOT NULL THEN problem
            WHEN item_id IS NULL THEN {quote_literal(NO_ITEM)}
            {id_reasons(("user_id", "item_id"))}
            WHEN source_type IS NULL THEN {quote_literal(UNKNOWN_TYPE)}
            {_time_reasons(contract)}
            {wrong_clocks}
            WHEN abs(quantity) > {contract.max_quantity!r} THEN 'quantity beyond the limit'
            WHEN quantity < 0 AND source_type NOT IN ('purchase', 'return') THEN 'negative quantity'
            WHEN abs(price) > {max_price} OR abs(list_price) > {max_price} THEN 'price beyond the limit'
            WHEN (price < 0 OR list_price < 0) AND source_type <> 'return' AND coalesce(quantity, 0) >= 0
                THEN 'negative price'
            {_left_out(contract)}
        END
    """


def _left_out(contract: Contract) -> str:
    users = ", ".join(quote_literal(id_text(user)) for user in contract.left_out_users)
    return f"WHEN user_id IN ({users}) THEN {quote_literal(LEFT_OUT)}" if users else ""


def _time_reasons(contract: Contract) -> str:
    too_early, too_late = _clock_limits(contract)
    return f"WHEN {too_early} THEN 'time before {contract.earliest_year}' WHEN {too_late} THEN 'time in the future'"


def within_clocks(contract: Contract) -> str:
    """Return SQL that is true for rows whose time passes no limit of the contract."""
    too_early, too_late = _clock_limits(contract)
    return f"NOT ({too_early}) AND NOT ({too_late})"


def _clock_limits(contract: Contract) -> tuple[str, str]:
    return (
        f"event_time < TIMESTAMPTZ '{contract.earliest_year}-01-01 00:00:00+00'",
        f"event_time > ingested_at + INTERVAL {contract.future_minutes} MINUTE",
    )


def _event_type(sources: Sequence[EventStream]) -> str:
    return _by_source(sources, [_type_within(source) for source in sources])


def _type_within(source: EventStream) -> str:
    if source.event_type is not None:
        return quote_literal(source.event_type)
    translated = {kind: kind for kind in KNOWN_TYPES} | {id_text(code): kind for code, kind in source.types.items()}
    cases = " ".join(f"WHEN {quote_literal(word)} THEN {quote_literal(kind)}" for word, kind in translated.items())
    return f"CASE event_type {cases} END"


def _available_at(sources: Sequence[EventStream], first_batches: Mapping[str, int]) -> str:
    """Return SQL of when a row was known: rows of a live source after its first batch, when they were ingested."""
    moments = []
    for source in sources:
        moment = f"event_time + INTERVAL {source.lag_minutes} MINUTE"
        if source.name in first_batches:
            history = f"batch = {first_batches[source.name]}"
            moment = f"CASE WHEN {history} THEN {moment} ELSE greatest(ingested_at, event_time) END"
        moments.append(moment)
    return _by_source(sources, moments)


def _quantity(sources: Sequence[EventStream]) -> str:
    default = "CASE WHEN source_type IN ('purchase', 'return') THEN 1.0 END"
    return _by_source(sources, ["abs(quantity)" if source.columns.quantity else default for source in sources])


def _by_source(sources: Sequence[EventStream], expressions: Sequence[str]) -> str:
    cases = zip(sources, expressions, strict=True)
    return "CASE source " + " ".join(f"WHEN {quote_literal(source.name)} THEN {sql}" for source, sql in cases) + " END"
