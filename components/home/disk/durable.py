"""Writing so that a kill or a power cut at any moment leaves either the old state or the new one."""

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path


def write_durably(path: Path, content: bytes, mode: int | None = None, synced: bool = True) -> None:
    """Replace a file's content at once: a reader, or a restart after a kill, finds the old or the new content whole.

    With ``mode`` the file has those permissions from its first byte on. One that is not ``synced`` outlives a kill, but
    not a power cut.
    """
    make_folder_durably(path.parent)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with draft.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if synced:
        sync_folder(path.parent)


def make_folder_durably(folder: Path) -> None:
    """Make a folder, and those above it that are missing, so that a power cut leaves them."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        with suppress(PermissionError):  # one that may be entered but not read
            sync_folder(made.parent)


def move_durably(draft: Path, target: Path) -> None:
    """Give a finished file its name after its content has reached the disk; the name itself may be lost with power."""
    _sync(draft)
    draft.replace(target)


def move_folder_durably(source: Path, target: Path) -> None:
    """Move a finished folder into a place that holds nothing yet, after its files have reached the disk."""
    for path in source.rglob("*"):
        _sync(path)
    sync_folder(source)
    make_folder_durably(target.parent)
    source.rename(target)
    sync_folder(target.parent)


def replace_folder(source: Path, target: Path) -> None:
    """Put a finished folder in the place of an older one; for drafts, which a run can make again."""
    shutil.rmtree(target, ignore_errors=True)
    move_folder_durably(source, target)


def remove_folder(folder: Path) -> None:
    """Remove a folder so that no kill leaves a part of it under its name; what is left then begins with a dot."""
    gone = folder.with_name(f".{folder.name.lstrip('.')}.{uuid.uuid4().hex}.gone")
    with suppress(FileNotFoundError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make a folder's entries outlive a power cut."""
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
