"""A delivery that breaks the contract is given back: the raw table is what it was when the contract was last kept.

Raw rows and offsets go back together, so the next run reads the source again: what was corrected there, in any
way, is as if it had never been wrong. The refused rows stay readable in the raw table's earlier version.
"""

from components.contracts.errors import SourceError
from components.contracts.tables import RAW
from components.home.layout import Home
from components.lake.tables import noted_version, read_notes, replace_rows, restore_version
from components.validate_events.rows.pending_rows import NOTHING, PendingRows, Watermark, read_watermark


def roll_back_delivery(home: Home, pending: PendingRows) -> None:
    """Take out of a raw table what came after the rows that were accepted last; all of it if none ever were.

    Raises:
        SourceError: no commit of the table carries what was accepted last; the table is as it was.
    """
    uri = home.raw / pending.table
    accepted = _accepted(home, pending)
    if accepted == NOTHING:
        replace_rows(uri, RAW[pending.table].empty_table(), {"batch": 0, "generation": 0, "sources": {}})
        return
    wanted = (accepted.batch, accepted.generation)
    if wanted == (pending.after.batch, pending.after.generation):
        return
    version = noted_version(uri, lambda notes: (notes["batch"], notes["generation"]) == wanted)
    if version is None:
        raise SourceError(
            f"{uri}: found no commit of batch {accepted.batch} of generation {accepted.generation}, which was accepted "
            f"last, so that the refused rows stay; bring back the files of {uri / '_delta_log'}, or start a new home"
        )
    restore_version(uri, version)


def _accepted(home: Home, pending: PendingRows) -> Watermark:
    """Return how far a raw table was accepted: the quarantine is written first of all once the contract is kept."""
    noted = read_notes(home.quarantine).get(pending.table)
    return pending.before if noted is None else read_watermark(noted)
