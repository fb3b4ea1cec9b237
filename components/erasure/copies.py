"""Erasing a user from what this machine keeps of buckets: copies that hold them go, and are fetched again without."""

import shutil
from pathlib import Path

from components.erasure.search import holds
from components.home.data_subject import DataSubject, Erased
from components.home.disk.presence import files_below, names_in
from components.home.runs.work_folder import WORK, local_runs
from components.home.storage.cache import object_cache
from components.home.storage.locations import BucketPath
from components.home.storage.objects import COPIES
from components.home.storage.scratch import SCRATCH, remove_abandoned_copies


def erase_copies(home: BucketPath, person: DataSubject) -> Erased:
    """Remove the cached objects that hold a user, the copies of whole folders, and what killed processes left.

    Homes share the cache, and an object does not tell whose it is: those of other homes that hold the same id go too.
    They are fetched again, but a run that reads one of them just then fails. No run may be at work in this home.

    Raises:
        OSError: the cache cannot be read or written.
    """
    cache, runs = object_cache().folder, local_runs(home)
    abandoned = remove_abandoned_copies() + len(names_in(runs))
    if names_in(runs):
        shutil.rmtree(runs)
    files = [path for path in files_below(cache) if path.relative_to(cache).parts[0] not in (SCRATCH, WORK)]
    held = {_copy_of(path, cache) for path in files if _is_held(path, person)}
    for path in held:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return Erased(files=len(held) + abandoned, searched=len(files))


def _is_held(path: Path, person: DataSubject) -> bool:
    try:
        return holds(path, person)
    except FileNotFoundError:  # another process made room
        return False


def _copy_of(path: Path, cache: Path) -> Path:
    """Return a file of the cache itself, or the folder that was copied with it."""
    parts = path.relative_to(cache).parts
    return cache / parts[0] / parts[1] if parts[0] == COPIES else path
