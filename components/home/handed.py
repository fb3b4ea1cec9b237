"""Opening what a handle names, in a folder home or in a bucket: tables, and folders that a step leaves for others."""

from pathlib import Path

from components.contracts.handles import Handle
from components.home.storage.locations import Location, parse_location
from components.home.storage.objects import local_folder


def handed_folder(handle: Handle) -> Path:
    """Return the folder that a handle names, as one of this machine.

    Raises:
        StorageError: it is not in the bucket, or damaged there.
    """
    return local_folder(parse_location(handle.uri))


def handed_tables(handle: Handle) -> Location:
    """Return where the tables lie whose versions a handle names."""
    return parse_location(handle.uri)
