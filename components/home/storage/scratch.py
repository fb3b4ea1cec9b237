"""Objects that are looked at once, such as in a search for a user: copies that go again, and that no cache keeps.

A copy lies below the cache's folder. Its process holds a lock on it for as long as it lives, so that what a killed
process left is recognised.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from components.home.disk.file_lock import FileLock
from components.home.disk.presence import names_in
from components.home.storage.cache import object_cache
from components.home.storage.locations import Location
from components.home.storage.objects import download

SCRATCH = "scratch"


@contextmanager
def uncached_file(location: Location) -> Iterator[Path]:
    """Yield a file itself, or a copy of an object under the same name in a folder of the same name.

    Raises:
        FileNotFoundError: there is none.
        ConfigurationError, StorageError: the bucket or the cache's folder cannot be used.
    """
    if isinstance(location, Path):
        yield location
        return
    with ExitStack() as stack:
        with object_cache().readable_errors():
            path = stack.enter_context(_locked_folder()) / location.parent.name / location.name
            path.parent.mkdir(exist_ok=True)
            download(location, path)
        yield path


@contextmanager
def _locked_folder() -> Iterator[Path]:
    root = _root()
    root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with FileLock(root).held():  # nobody takes the folder for one that was left before it is locked
            folder = Path(stack.enter_context(TemporaryDirectory(dir=root)))
            stack.enter_context(FileLock(folder).held())
        yield folder


def remove_abandoned_copies() -> int:
    """Remove the copies that killed processes left; return how many there were."""
    root, removed = _root(), 0
    if root.is_dir():
        with FileLock(root).held():
            for name in names_in(root):
                with FileLock(root / name).tried() as lock:
                    if lock is not None:
                        shutil.rmtree(root / name, ignore_errors=True)
                        removed += 1
    return removed


def _root() -> Path:
    return object_cache().folder / SCRATCH
