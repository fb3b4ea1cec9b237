"""An object and a folder on their way into a cache whose disk is full, then cannot be written, then has space.

unshare --map-root-user --mount python -m tests.components.home.storage.small_cache DISK OBJECT FOLDER
"""

import os
import subprocess
import sys
from pathlib import Path

from components.contracts.errors import StorageError
from components.home.storage.locations import BucketPath, parse_location
from components.home.storage.objects import fetch_named, local_folder
from tests.pipelines.whole_runs.filling_disk import disk_of, resize


def print_sizes(object_address: str, folder_address: str) -> None:
    """Print how large the copies of both are, or why there are none."""
    for fetch, address in ((fetch_named, object_address), (local_folder, folder_address)):
        location = parse_location(address)
        assert isinstance(location, BucketPath)
        try:
            copy = fetch(location)
        except StorageError as error:
            print(error)
        else:
            print(sum(path.stat().st_size for path in (copy, *copy.rglob("*")) if path.is_file()))


def main(disk: Path, *addresses: str) -> None:
    """Fetch both three times."""
    with disk_of(100, disk):
        os.environ["RANKLOOP_CACHE"] = str(disk / "cache")
        print_sizes(*addresses)
        subprocess.run(["mount", "-o", "remount,ro,size=100k", disk], check=True)
        print_sizes(*addresses)
        subprocess.run(["mount", "-o", "remount,rw,size=100k", disk], check=True)
        resize(disk, 1000)
        print_sizes(*addresses)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
