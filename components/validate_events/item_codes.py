"""The dictionary of item codes: append-only, never reused; new items are numbered in the order of their ids."""

import duckdb

from components.contracts.tables import CANONICAL, ITEM_CODES
from components.home.layout import Home
from components.lake.session import delta_relation
from components.lake.tables import append_rows
from components.validate_events.pending_rows import PendingRows


def extend_item_codes(session: duckdb.DuckDBPyConnection, home: Home, pending_rows: list[PendingRows]) -> None:
    """Give a code to every item of the catalogue and of the valid new rows that has none."""
    uri = home.clean / "item_codes"
    catalogue = f"SELECT item_id FROM {delta_relation(home.clean / 'items', CANONICAL['items'])}"
    seen = [
        f"SELECT item_id FROM {pending.validated} WHERE reason IS NULL"
        for pending in pending_rows
        if not pending.is_empty
    ]
    new = (
        f"SELECT DISTINCT item_id FROM ({' UNION ALL '.join([catalogue, *seen])}) "
        f"ANTI JOIN {delta_relation(uri, ITEM_CODES)} AS coded USING (item_id)"
    )
    rows = session.sql(
        f"SELECT item_id, CAST(row_number() OVER (ORDER BY item_id) + {_largest(session, home)} AS INTEGER) "
        f"AS item_code FROM ({new}) ORDER BY item_id"
    ).to_arrow_table()
    if len(rows):
        append_rows(uri, rows.cast(ITEM_CODES), {})


def _largest(session: duckdb.DuckDBPyConnection, home: Home) -> int:
    codes = delta_relation(home.clean / "item_codes", ITEM_CODES)
    return int(session.execute(f"SELECT coalesce(max(item_code), -1) FROM {codes}").fetchall()[0][0])
