"""The folder of this machine in which a run works: its own in a folder home, else one beside the cache.

It holds KFP's files, the scratch folder of the steps, and the log while it grows.
"""

import hashlib
from pathlib import Path

from components.home.layout import Home
from components.home.storage.cache import object_cache
from components.home.storage.locations import Location

WORK = "runs"  # in the cache's folder


def work_folder(home: Home, run_id: str) -> Path:
    """Return where a run works."""
    run = home.run(run_id)
    return run if isinstance(run, Path) else local_runs(home.root) / run_id


def local_runs(root: Location) -> Path:
    """Return where the runs of a home in a bucket work; what lies there between two runs is of killed ones."""
    return object_cache().folder / WORK / hashlib.sha256(str(root).encode()).hexdigest()[:32]
