"""Back to an earlier version of a Delta table: its rows and notes again, as a new commit."""

from collections.abc import Callable

from deltalake.exceptions import DeltaError

from components.contracts.errors import SourceError
from components.home.storage.held import check_held
from components.home.storage.locations import Location
from components.lake.tables import KEEP_HISTORY, Notes, note_properties, noted_commits, open_table, read_notes


def noted_version(uri: Location, fits: Callable[[Notes], bool]) -> int | None:
    """Return the newest version of a table whose own notes fit; None if there is none."""
    return next((version for version, notes in noted_commits(uri) if fits(notes)), None)


def restore_version(uri: Location, version: int) -> None:
    """Restore a table's version; later versions stay readable.

    Raises:
        SourceError: files of that version are gone, or nothing can be written.
    """
    table = open_table(uri)
    assert table is not None
    properties = note_properties(uri, read_notes(uri, version))
    check_held(uri)
    try:
        table.restore(version, commit_properties=properties, post_commithook_properties=KEEP_HISTORY)
    except (DeltaError, OSError) as error:
        raise SourceError(
            f"{uri}: version {version} could not be restored ({error}); free disk space and permissions are the usual "
            "reasons, and the table is as it was"
        ) from error
