"""SQL that reads ids, numbers and texts of every column type; the rule for ids is that of ``contracts.ids``."""

from collections.abc import Sequence

from components.contracts.ids import CONTROLS, ROUNDED
from components.ingest_events.mapping.times import Reading, text_of
from components.lake.id_sql import PLAIN as PLAIN_ID
from components.lake.id_sql import id_sql, means_nobody_sql, trimmed_sql
from components.lake.number_signs import PLAIN, NumberSigns, unreadable_number
from components.lake.session import quote_identifier, quote_literal

FRACTIONS = ("FLOAT", "DOUBLE", "DECIMAL")
EXACT_BELOW = {"FLOAT": 2**24, "DOUBLE": 2**53}
"""From here on several whole numbers are one float."""
ROUNDED_NUMBER = "a rounded number"
NO_TEXT = r"[\x{1}-\x{8}\x{e}-\x{1f}]|\x{0}[^\x{0}]"
"""Bytes of numbers, keys and UUIDs; text has at most zeros at its end, where its length is fixed."""


def id_reading(column: str, kind: str, what: str) -> Reading:
    """Read ids as text; a number that stands for several ids, and what is no text in one line, are a problem."""
    cell = quote_identifier(column)
    if kind.startswith(FRACTIONS):
        return _fraction_as_id(cell, kind, what)
    if kind not in ("VARCHAR", "BLOB"):
        return Reading(f"CAST({cell} AS VARCHAR)")
    written = text_of(column, kind)
    trimmed = trimmed_sql(written)
    rounded = f"contains({written}, '.') AND regexp_full_match({trimmed}, {quote_literal(ROUNDED)})"
    plain, control = quote_literal(PLAIN_ID), quote_literal(f"[{CONTROLS}]")
    broken = f"NOT regexp_full_match({written}, {plain}) AND regexp_matches({trimmed}, {control})"
    cases = [(rounded, ROUNDED_NUMBER), (broken, "a line break or control character inside")]
    if kind == "BLOB":
        cases.append((f"{cell} IS NOT NULL AND {written} IS NULL", "bytes of no UTF-8"))
        cases.append((f"regexp_matches({written}, {quote_literal(NO_TEXT)})", "bytes that are no text"))
    return Reading(id_sql(written), _problem(what, cases))


def _fraction_as_id(cell: str, kind: str, what: str) -> Reading:
    whole = f"CASE WHEN {cell} = trunc({cell}) THEN CAST(TRY_CAST({cell} AS HUGEINT) AS VARCHAR) END"
    known = f"({cell} IS NOT NULL AND isfinite(CAST({cell} AS DOUBLE)))"
    value = f"CASE WHEN {known} THEN coalesce({whole}, CAST({cell} AS VARCHAR)) END"
    if kind not in EXACT_BELOW:
        return Reading(value)
    return Reading(value, _problem(what, [(f"{known} AND abs({cell}) >= {EXACT_BELOW[kind]}", ROUNDED_NUMBER)]))


def _problem(what: str, cases: Sequence[tuple[str, str]]) -> str:
    """Return SQL of the problem of an unreadable id, by the conditions under which it is one, and why."""
    listed = [f"WHEN {case} THEN {quote_literal(f'unreadable {what} ({why})')}" for case, why in cases]
    return f"CASE {' '.join(listed)} END"


def text_value(column: str, kind: str) -> str:
    """Read a text, trimmed; blanks are null."""
    return f"nullif({trimmed_sql(text_of(column, kind))}, '')"


def number_reading(column: str, kind: str, what: str, signs: NumberSigns = PLAIN) -> Reading:
    """Read a number; NaN and blanks are null, other text is a problem."""
    cell = quote_identifier(column)
    if kind not in ("VARCHAR", "BLOB"):
        number = f"TRY_CAST({cell} AS DOUBLE)"
        return Reading(f"CASE WHEN isnan({number}) THEN NULL ELSE {number} END")
    written = text_of(column, kind)
    trimmed = trimmed_sql(written)
    at_once = f"TRY_CAST({written} AS DOUBLE)"  # most cells are plain numbers, and words for nobody are not numbers
    is_plain = f"isfinite({at_once})" if signs == PLAIN else "false"
    number = (
        f"CASE WHEN {is_plain} THEN {at_once} WHEN NOT {means_nobody_sql(trimmed)} THEN {signs.number(trimmed)} END"
    )
    wrong = f"NOT {means_nobody_sql(trimmed)} AND {signs.number(trimmed)} IS NULL"
    return Reading(number, f"CASE WHEN {is_plain} THEN NULL WHEN {wrong} THEN {unreadable_number(trimmed, what)} END")


def sum_reading(columns: tuple[str, ...], kinds: dict[str, str], what: str, signs: NumberSigns = PLAIN) -> Reading:
    """Read the sum of several number columns; null where all are."""
    readings = [number_reading(column, kinds[column], what, signs) for column in columns]
    if len(readings) == 1:
        return readings[0]
    total = " + ".join(f"coalesce({reading.value}, 0)" for reading in readings)
    nothing = " AND ".join(f"({reading.value}) IS NULL" for reading in readings)
    problems = ", ".join(reading.problem for reading in readings)
    return Reading(f"CASE WHEN {nothing} THEN NULL ELSE {total} END", f"coalesce({problems}, NULL)")
