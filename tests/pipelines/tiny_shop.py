"""A made-up shop on which a whole run, trained ranker and gate included, takes little more than its imports."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.synthetic_shop import Size, write_shop

TINY = Size(users=60, items=30, weeks=9)
EASY = """
[training]
snapshots = 3
rounds = 20
threads = 1
min_requests = 50

[gate]
heldout_horizons = 2
min_users = 20
resamples = 200

[drift]
min_users = 20
"""


def make_tiny_shop(folder: Path, size: Size = TINY, settings: str = EASY) -> Path:
    """Write a shop into a folder, with settings that so little data can meet; return its shop file."""
    shop_file = write_shop(folder, size)
    text = re.sub(r"\n\[(training|gate|drift)\]\n[^\[]*", "\n", shop_file.read_text())
    shop_file.write_text(text + settings)
    return shop_file


def command(*words: str | Path) -> Sequence[str]:
    """The installed command with its words."""
    return [str(Path(sys.executable).with_name("rankloop")), *map(str, words)]


def rankloop(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the installed command to its end."""
    return subprocess.run(command(*words), capture_output=True, text=True, check=False)


def the_one_line(ended: "subprocess.CompletedProcess[str]", code: int) -> str:
    """Check that a command failed with a code and one line on standard error, and return that line."""
    assert ended.returncode == code, ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("rankloop: ")
    return lines[0]
