"""The data contract as SQL: which raw rows are valid, which are not and why, and what the valid ones become."""

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
LAST_POSITION = 10_000  # of a shown list; what lies beyond is a mistake of the log


def validated_events(
    contract: Contract,
    sources: Sequence[EventStream],
    raw: str,
    first_batches: Mapping[str, int],
    far: Sequence[FarRows] = (),
    zone: ZoneInfo = UTC,
) -> str:
    """SQL of raw event rows as canonical ones, with ``reason`` (null where valid) and ``row`` (JSON as it was found).

    A purchase of a negative quantity is a return; quantities and money of returns are positive.

    Args:
        first_batches: of each live source, the batch that brought its history.
        far: rows that a wrong clock dated; their days are of the zone.
    """
    typed = f"SELECT *, {_event_type(sources)} AS found_type FROM {raw}"
    returned = "(found_type = 'return' OR (found_type = 'purchase' AND quantity < 0))"
    return (
        f"SELECT batch, row_id, event_id AS given_id, {_event_reason(contract, far, zone)} AS reason, "
        f"{_row(_SHOWN_OF_EVENT)} AS row, ingested_at, coalesce(event_id, row_id) AS event_id, event_time, "
        f"{_available_at(sources, first_batches)} AS available_at, user_id, item_id, "
        f"CASE WHEN {returned} THEN 'return' ELSE found_type END AS event_type, "
        f"{_quantity(sources)} AS quantity, "
        f"CASE WHEN {returned} THEN abs(price) ELSE price END AS price, "
        f"CASE WHEN {returned} THEN abs(list_price) ELSE list_price END AS list_price, "
        f"session_id, request_id, source FROM ({typed})"
    )


def validated_impressions(contract: Contract, raw: str) -> str:
    """SQL of raw impression rows as canonical ones, with ``reason`` and ``row``."""
    reason = (
        "CASE WHEN problem IS NOT NULL THEN problem "
        "WHEN request_id IS NULL THEN 'no request' "
        f"WHEN item_id IS NULL THEN {quote_literal(NO_ITEM)} "
        f"{id_reasons(('user_id', 'item_id'))} "
        f"WHEN position IS NULL OR position NOT BETWEEN 1 AND {LAST_POSITION} "
        f"THEN 'position outside 1 to {LAST_POSITION:,}' "
        "WHEN propensity <= 0 OR propensity > 1 THEN 'propensity outside 0 to 1' "
        f"{_time_reasons(contract)} {_left_out(contract)} END"
    )
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
    return (
        "CASE WHEN problem IS NOT NULL THEN problem "
        f"WHEN item_id IS NULL THEN {quote_literal(NO_ITEM)} "
        f"{id_reasons(('user_id', 'item_id'))} "
        f"WHEN found_type IS NULL THEN {quote_literal(UNKNOWN_TYPE)} "
        f"{_time_reasons(contract)} {wrong_clocks} "
        f"WHEN abs(quantity) > {contract.max_quantity!r} THEN 'quantity beyond the limit' "
        "WHEN quantity < 0 AND found_type NOT IN ('purchase', 'return') THEN 'negative quantity' "
        f"WHEN abs(price) > {contract.max_price!r} OR abs(list_price) > {contract.max_price!r} "
        "THEN 'price beyond the limit' "
        "WHEN (price < 0 OR list_price < 0) AND found_type <> 'return' AND coalesce(quantity, 0) >= 0 "
        f"THEN 'negative price' {_left_out(contract)} END"
    )


def _left_out(contract: Contract) -> str:
    named = ", ".join(quote_literal(id_text(user)) for user in contract.left_out_users)
    return f"WHEN user_id IN ({named}) THEN {quote_literal(LEFT_OUT)}" if named else ""


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
    cases = " ".join(f"WHEN {quote_literal(found)} THEN {quote_literal(kind)}" for found, kind in translated.items())
    return f"CASE event_type {cases} END"


def _available_at(sources: Sequence[EventStream], first_batches: Mapping[str, int]) -> str:
    """SQL of when a row was known: what a live source brings after its first batch, when it was ingested."""
    moments = []
    for source in sources:
        moment = f"event_time + INTERVAL {source.lag_minutes} MINUTE"
        if source.name in first_batches:
            history = f"batch = {first_batches[source.name]}"
            moment = f"CASE WHEN {history} THEN {moment} ELSE greatest(ingested_at, event_time) END"
        moments.append(moment)
    return _by_source(sources, moments)


def _quantity(sources: Sequence[EventStream]) -> str:
    alone = "CASE WHEN found_type IN ('purchase', 'return') THEN 1.0 END"
    return _by_source(sources, ["abs(quantity)" if source.columns.quantity else alone for source in sources])


def _by_source(sources: Sequence[EventStream], expressions: Sequence[str]) -> str:
    cases = zip(sources, expressions, strict=True)
    return "CASE source " + " ".join(f"WHEN {quote_literal(source.name)} THEN {sql}" for source, sql in cases) + " END"
