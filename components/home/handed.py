"""Opening what a handle names: the folders that steps leave for other steps, in a folder home or in a bucket."""

from pathlib import Path

from components.contracts.handles import Handle
from components.home.storage.locations import parse_location
from components.home.storage.objects import local_folder


def handed_folder(handle: Handle) -> Path:
    """Return the folder that a handle names, as one of this machine.

    Raises:
        StorageError: it is not in the bucket, or damaged there.
    """
    return local_folder(parse_location(handle.uri))
