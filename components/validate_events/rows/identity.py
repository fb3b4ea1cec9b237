"""The user of a row: the shop's own words for nobody, and ids that are too long for the interface."""

from collections.abc import Sequence

from components.contracts.ids import MAX_ID_CHARACTERS, nobody_words
from components.lake.id_sql import lowered_sql
from components.lake.session import quote_literal
from components.shop.settings import Contract


def with_known_users(contract: Contract, rows: str) -> str:
    """Return SQL of rows whose ``user_id`` is null where the shop file says that it means nobody."""
    if not contract.no_user:
        return rows
    words = ", ".join(map(quote_literal, sorted(nobody_words(contract.no_user))))
    known = f"CASE WHEN {lowered_sql('user_id')} NOT IN ({words}) THEN user_id END"
    return f"(SELECT * REPLACE ({known} AS user_id) FROM {rows})"


def id_reasons(columns: Sequence[str]) -> str:
    """Return SQL cases for ids that the interface does not accept; ``columns`` are ``user_id``, ``item_id`` or both."""
    return " ".join(
        f"WHEN length({column}) > {MAX_ID_CHARACTERS} "
        f"THEN '{column.replace('_', ' ')} longer than {MAX_ID_CHARACTERS} characters'"
        for column in columns
    )
