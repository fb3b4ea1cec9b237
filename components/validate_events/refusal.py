"""A delivery that breaks the contract is given back: the raw table is what it was when the contract was last kept.

Raw rows and offsets go back together, so the next run reads the source again: what was corrected there, in whatever
way, is as if it had never been wrong. The refused rows stay readable in the raw table's earlier version.
"""

from components.contracts.home import Home
from components.contracts.tables import RAW
from components.lake.tables import read_notes, replace_rows
from components.lake.versions import noted_version, restore_version
from components.validate_events.growth import Growth, read_mark


def give_back(home: Home, growth: Growth) -> None:
    """Take out of a raw table what came after the rows that were accepted last.

    The quarantine is written first of all once the contract is kept, so its mark says what was accepted.
    """
    uri = home.raw / growth.table
    accepted = read_mark(read_notes(home.quarantine).get(growth.table, {}))
    if (accepted.batch, accepted.generation) == (growth.after.batch, growth.after.generation):
        return
    version = noted_version(
        uri, lambda notes: (notes["batch"], notes["generation"]) == (accepted.batch, accepted.generation)
    )
    if version is None:
        replace_rows(uri, RAW[growth.table].empty_table(), {"batch": 0, "generation": 0, "sources": {}})
    else:
        restore_version(uri, version)
