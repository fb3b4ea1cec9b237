"""A disk that fills up during a run: one clear message, nothing lost, and the same home works once there is space."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.contracts.home import Home
from components.contracts.steps import read_records
from pipelines.home_lock import lock_holder
from pipelines.run_record import list_runs
from tests.pipelines.tiny_shop import make_tiny_shop, rankloop

# kilobytes of a home's disk that run out in the command itself, while the lake is written, and while features are
SIZES = (8, 300, 1200)
ENOUGH = "200m"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, to be sized by ``resize``."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="runs as root of a namespace, in the test below")
def test_a_home_whose_disk_fills_up_goes_on_when_there_is_space(disk: Path, tmp_path: Path) -> None:
    shop_file, home = make_tiny_shop(tmp_path / "shop"), Home(disk / "home")
    for size in SIZES:
        resize(disk, f"{size}k")
        ended = rankloop("run", "--shop", shop_file, "--home", home.root, "--json")
        assert ended.returncode == 1
        (line,) = [line for line in ended.stderr.splitlines() if line.startswith("rankloop: ")]
        assert "space" in line, line
        assert "Traceback" not in ended.stderr
        assert lock_holder(home) is None
    resize(disk, ENOUGH)
    ended = rankloop("run", "--shop", shop_file, "--home", home.root, "--json")
    assert ended.returncode == 0, ended.stderr
    records = read_records(home.run(list_runs(home)[0].run_id))
    assert {record.state for record in records.values()} == {"done"}
    assert records["ingest_events"].facts  # read what the failed runs had left undone


@pytest.mark.skipif(os.geteuid() == 0, reason="root needs no namespace to mount a small disk")
def test_the_same_without_being_root() -> None:
    again = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__]
    ended = subprocess.run(["unshare", "--map-root-user", "--mount", *again], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
