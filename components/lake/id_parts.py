"""SQL that finds a user's id as a part of other rows' cells, and puts a stand-in there; see ``contracts/id_parts``."""

from collections.abc import Iterator, Sequence

from components.contracts.id_parts import ID_KEYS, RE2
from components.home.data_subject import USER_ID, DataSubject
from components.lake.session import quote_identifier, quote_literal

TEXTS = {"context": True, "found": False, "row": False}  # and whether whole values in them count
ATTRIBUTES = "attributes"
TIMES = 2  # a pattern takes the character between two parts: the second one is met the next time


def without_parts(person: DataSubject, columns: Sequence[str]) -> dict[str, str]:
    """Return SQL of the cells with the stand-in, by column, for those columns that may hold the id as a part.

    Rows of a user whose own id holds it are theirs, and stay as they are.
    """
    has_users = USER_ID in columns
    own_id = f"regexp_matches({quote_identifier(USER_ID)}, {quote_literal(person.part.in_id(RE2))})"
    own = f"coalesce({own_id}, false)" if has_users else "false"
    return {
        column: f"""
            CASE
                WHEN {own} THEN {quote_identifier(column)}
                ELSE {_unless_counter(person, column, has_users, cell)}
            END
            """
        for column, cell in _replaced(person, columns)
    }


def _unless_counter(person: DataSubject, column: str, has_users: bool, replaced: str) -> str:
    """Return SQL of a cell with the stand-in, looked for where the id stands at all; see ``IdPart.is_counter``."""
    if column not in ID_KEYS:
        return replaced
    cell = quote_identifier(column)
    tests = [f"NOT contains({cell}, {quote_literal(person.user_id)})"]
    if has_users and not person.part.is_searchable:
        parts = f"regexp_split_to_array({cell}, {quote_literal(RE2.outside)})"
        tests.append(f"list_contains({parts}, {quote_identifier(USER_ID)})")
    return f"CASE {' '.join(f'WHEN {test} THEN {cell}' for test in tests)} ELSE {replaced} END"


def count_parts(person: DataSubject, columns: Sequence[str]) -> str:
    """Return SQL of how many cells of other rows hold the id as a part."""
    changed = [
        f"count(*) FILTER (WHERE ({cell}) IS DISTINCT FROM {quote_identifier(column)})"
        for column, cell in without_parts(person, columns).items()
    ]
    return " + ".join(changed) or "0"


def _replaced(person: DataSubject, columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    part = person.part
    for column in columns:
        if column in ID_KEYS:
            yield column, _without(quote_identifier(column), [part.in_id(RE2)], part.stand_in)
        elif column in TEXTS:
            yield column, _without(quote_identifier(column), part.in_text(RE2, TEXTS[column]), part.stand_in)
        elif column == ATTRIBUTES and part.is_searchable:
            value = _without("each.value", part.in_text(RE2), part.stand_in)
            entries = f"lambda each: {{'key': each.key, 'value': {value}}}"
            yield column, f"map_from_entries(list_transform(map_entries({quote_identifier(column)}), {entries}))"


def _without(cell: str, patterns: Sequence[str], stand_in: str) -> str:
    kept = quote_literal(rf"\1{stand_in}\2")
    for pattern in patterns:
        for _ in range(TIMES):
            cell = f"regexp_replace({cell}, {quote_literal(pattern)}, {kept}, 'g')"
    return cell
