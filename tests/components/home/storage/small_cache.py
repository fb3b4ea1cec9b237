"""An object on its way into a cache whose disk is full, then cannot be written, then has space.

unshare --map-root-user --mount python -m tests.components.home.storage.small_cache FOLDER OBJECT
"""

import os
import subprocess
import sys
from pathlib import Path

from components.contracts.errors import StorageError
from components.home.storage.locations import BucketPath, parse_location
from components.home.storage.objects import fetch_named
from tests.pipelines.filling_disk import disk_of, resize


def say(location: BucketPath) -> None:
    """Print how large the file of the cache is, or why there is none."""
    try:
        print(fetch_named(location).stat().st_size)
    except StorageError as error:
        print(error)


def main(folder: Path, location: BucketPath) -> None:
    """Fetch the object three times."""
    with disk_of(100, folder):
        os.environ["RANKLOOP_CACHE"] = str(folder / "cache")
        say(location)
        subprocess.run(["mount", "-o", "remount,ro,size=100k", folder], check=True)
        say(location)
        subprocess.run(["mount", "-o", "remount,rw,size=100k", folder], check=True)
        resize(folder, 1000)
        say(location)


if __name__ == "__main__":
    place = parse_location(sys.argv[2])
    assert isinstance(place, BucketPath)
    main(Path(sys.argv[1]), place)
