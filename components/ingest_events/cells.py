"""SQL that reads ids, numbers and texts of every column type."""

from components.ingest_events.times import Reading
from components.lake.session import name, text

WHOLE_FLOAT = r"[+-]?\d+\.0+"
MISSING_WORDS = ("", "nan", "null", "none", "n/a", "<na>")
_MISSING = ", ".join(text(word) for word in MISSING_WORDS)
FRACTIONS = ("FLOAT", "DOUBLE", "DECIMAL")


def id_value(column: str, kind: str) -> str:
    """Read ids as text: trimmed, ``17850.0`` and ``17850.00`` as ``17850``, blanks and words for nothing as null."""
    cell = name(column)
    if kind.startswith(FRACTIONS):
        whole = f"CASE WHEN {cell} = trunc({cell}) THEN CAST(TRY_CAST({cell} AS HUGEINT) AS VARCHAR) END"
        known = f"({cell} IS NOT NULL AND isfinite(CAST({cell} AS DOUBLE)))"
        return f"CASE WHEN {known} THEN coalesce({whole}, CAST({cell} AS VARCHAR)) END"
    if kind != "VARCHAR":
        return f"CAST({cell} AS VARCHAR)"
    trimmed = f"trim({cell})"
    return (
        f"CASE WHEN lower({trimmed}) IN ({_MISSING}) THEN NULL "
        f"WHEN contains({trimmed}, '.0') AND regexp_full_match({trimmed}, {text(WHOLE_FLOAT)}) "
        f"THEN split_part({trimmed}, '.', 1) ELSE {trimmed} END"
    )


def text_value(column: str, kind: str) -> str:
    """Read a text, trimmed; blanks are null."""
    cell = name(column) if kind == "VARCHAR" else f"CAST({name(column)} AS VARCHAR)"
    return f"nullif(trim({cell}), '')"


def number_reading(column: str, kind: str, what: str) -> Reading:
    """Read a number; NaN and blanks are null, other text is a problem."""
    cell = name(column)
    if kind != "VARCHAR":
        number = f"TRY_CAST({cell} AS DOUBLE)"
        return Reading(f"CASE WHEN isnan({number}) THEN NULL ELSE {number} END")
    trimmed = f"trim({cell})"
    number = f"CASE WHEN lower({trimmed}) NOT IN ({_MISSING}) THEN TRY_CAST({trimmed} AS DOUBLE) END"
    wrong = f"lower({trimmed}) NOT IN ({_MISSING}) AND TRY_CAST({trimmed} AS DOUBLE) IS NULL"
    return Reading(number, f"CASE WHEN {wrong} THEN {text(f'unreadable {what}')} END")


def sum_reading(columns: tuple[str, ...], kinds: dict[str, str], what: str) -> Reading:
    """Read the sum of several number columns; null where all are."""
    readings = [number_reading(column, kinds[column], what) for column in columns]
    if len(readings) == 1:
        return readings[0]
    total = " + ".join(f"coalesce({reading.value}, 0)" for reading in readings)
    nothing = " AND ".join(f"({reading.value}) IS NULL" for reading in readings)
    problems = ", ".join(reading.problem for reading in readings)
    return Reading(f"CASE WHEN {nothing} THEN NULL ELSE {total} END", f"coalesce({problems}, NULL)")
