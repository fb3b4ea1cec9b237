"""Opening what a handle names, in a folder home or in a bucket: folders and documents that a step leaves for others."""

from pathlib import Path

from components.contracts.errors import StorageError
from components.contracts.handles import Handle
from components.home.storage.documents import read_document
from components.home.storage.locations import parse_location
from components.home.storage.objects import local_folder


def handed_folder(handle: Handle) -> Path:
    """Return the folder that a handle names, as one of this machine.

    Raises:
        StorageError: it is not in the bucket, or damaged there.
    """
    return local_folder(parse_location(handle.uri))


def handed_document(handle: Handle) -> bytes:
    """Read the document that a handle names.

    Raises:
        StorageError: it is not there, or cannot be read.
    """
    location = parse_location(handle.uri)
    content = read_document(location)
    if content is None:
        raise StorageError(f"{location}: found nothing there; `rankloop run --again` makes it again")
    return content
