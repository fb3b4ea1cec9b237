"""Upkeep of Delta tables: small files become large ones, and versions that nobody names are let go."""

from collections.abc import Collection
from pathlib import Path

from components.lake.tables import KEEP_HISTORY, Notes, note_properties, open_table, read_notes

SMALL_FILES = 16  # compaction waits for so many files
TARGET_BYTES = 256 * 2**20
RETENTION_HOURS = 24 * 7


def compact_table(uri: Path, small_files: int = SMALL_FILES) -> bool:
    """Merge a table's small files once there are many; rows, notes and older versions stay what they are.

    Returns:
        Whether there was anything to merge.
    """
    table = open_table(uri)
    if table is None or len(table.file_uris()) < small_files:
        return False
    notes: Notes = read_notes(uri)
    table.optimize.compact(
        target_size=TARGET_BYTES, commit_properties=note_properties(notes), post_commithook_properties=KEEP_HISTORY
    )
    return True


def compact_tables(folder: Path, small_files: int = SMALL_FILES) -> list[str]:
    """Compact every table below a folder; return the names of those that had many small files."""
    tables = sorted(log.parent for log in folder.glob("*/_delta_log"))
    return [uri.name for uri in tables if compact_table(uri, small_files)]


def vacuum_table(uri: Path, named: Collection[int], retention_hours: int = RETENTION_HOURS) -> list[str]:
    """Delete the files that neither the newest version, a named version, nor a recent one reads.

    Args:
        named: versions that a run or a bundle names; versions that are gone already are passed over.

    Returns:
        The files that were deleted.
    """
    table = open_table(uri)
    if table is None:
        return []
    notes = read_notes(uri)
    kept = sorted(version for version in set(named) if 0 <= version <= table.version())
    deleted: list[str] = table.vacuum(
        retention_hours=retention_hours,
        dry_run=False,
        enforce_retention_duration=False,
        full=True,
        keep_versions=kept or None,
        commit_properties=note_properties(notes),
        post_commithook_properties=KEEP_HISTORY,
    )
    return deleted
