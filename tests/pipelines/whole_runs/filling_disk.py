"""Run a shop in a home whose disk fills up, sooner and later, and then on the same disk with space.

    unshare --map-root-user --mount python -m tests.pipelines.whole_runs.filling_disk FOLDER

Ends with exit code 0 if each full disk was one clear message and nothing was lost. Needs a mount namespace of its own,
for the disk is a small tmpfs.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.home.layout import Home
from components.home.runs.lock import lock_holder
from components.home.runs.step_records import read_records
from tests.pipelines.homes.tiny_shop import FEW, make_tiny_shop, rankloop

# kilobytes of a home's disk that run out in the command itself, while the lake is written, and while features are
SIZES = (8, 110, 420)
ENOUGH = 200_000


@contextmanager
def disk_of(kilobytes: int, folder: Path) -> Iterator[None]:
    """Lay a small disk over a folder."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def resize(folder: Path, kilobytes: int) -> None:
    """Give the disk another size; a user namespace wants the whole command line again."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"remount,size={kilobytes}k", "tmpfs", folder], check=True)


def expect(holds: object, said: str) -> None:
    """End with what a command said unless something holds."""
    if not holds:
        raise SystemExit(f"unexpected: {said}")


def fill(shop_file: Path, home: Home) -> None:
    """Run once on a disk that is too small."""
    ended = rankloop("run", "--shop", shop_file, "--home", home.root, "--json")
    lines = [line for line in ended.stderr.splitlines() if line.startswith("rankloop: ")]
    print(*lines, sep="\n")
    expect(ended.returncode == 1 and len(lines) == 1 and "space" in lines[0], ended.stderr)
    expect("Traceback" not in ended.stderr, ended.stderr)
    expect(lock_holder(home) is None, "the lock is held after the run")


def finish(shop_file: Path, home: Home) -> None:
    """Run once with space: the steps take up what the failed runs had left undone."""
    ended = rankloop("run", "--shop", shop_file, "--home", home.root, "--json")
    expect(ended.returncode == 0, ended.stderr)
    records = read_records(home.run(json.loads(ended.stdout)["run_id"]))
    expect({record.state for record in records.values()} == {"done"}, str(records))
    expect(records["ingest_events"].facts, "ingestion reports nothing")


def main(folder: Path) -> None:
    """Fill the disk at each size, then make room."""
    shop_file, disk = make_tiny_shop(folder / "shop", FEW), folder / "disk"
    with disk_of(SIZES[0], disk):
        home = Home(disk / "home")
        for kilobytes in SIZES:
            resize(disk, kilobytes)
            fill(shop_file, home)
        resize(disk, ENOUGH)
        finish(shop_file, home)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
