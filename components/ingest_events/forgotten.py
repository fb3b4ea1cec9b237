"""Users who were forgotten do not come back: their rows are left out before anything of them is written."""

import duckdb

from components.home.tombstones import Tombstones


def leave_out_forgotten(session: duckdb.DuckDBPyConnection, staged: str, forgotten: Tombstones) -> int:
    """Delete the rows of forgotten users from a temporary table with a ``user_id``; return how many there were."""
    if not forgotten:
        return 0
    users = session.execute(f"SELECT DISTINCT user_id FROM {staged} WHERE user_id IS NOT NULL").fetchall()
    gone = forgotten.filter_forgotten(user_id for (user_id,) in users)
    if not gone:
        return 0
    deleted = session.execute(f"DELETE FROM {staged} WHERE user_id IN (SELECT unnest(?))", [gone]).fetchall()
    return int(deleted[0][0])
