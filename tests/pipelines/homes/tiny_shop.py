"""A made-up shop on which a whole run, trained ranker and gate included, takes little more than its imports."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.home.layout import Home
from components.home.runs.records import list_runs
from components.home.runs.step_records import StepRecord, read_records
from pipelines.shops.synthetic_shop import Size, write_shop

TINY = Size(users=60, items=30, weeks=9)
FEW = Size(users=8, items=25, weeks=3)  # too few to train on
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
page_columns = 0
"""
WITH_PAGE = "page_columns = 3"


def make_tiny_shop(folder: Path, size: Size = TINY, settings: str = EASY) -> Path:
    """Write a shop into a folder, with settings that so little data can meet; return its shop file."""
    shop_file = write_shop(folder, size)
    text = re.sub(r"\n\[(training|gate|drift)\]\n[^\[]*", "\n", shop_file.read_text())
    shop_file.write_text(text + settings)
    return shop_file


class LivingHome:
    """A shop and its home beside the shop's folder, with a run that has finished."""

    def __init__(self, shop_file: Path) -> None:
        self.shop_file, self.home = shop_file, Home(shop_file.parents[1] / "home")
        self.document = self.run()

    def rankloop(self, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a command in the home to its end."""
        return rankloop(*words, "--home", self.home.root)

    def answer(self, *words: str | Path) -> Any:
        """Run a command that ends well, and return its JSON document."""
        ended = self.rankloop(*words, "--json")
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def run(self) -> dict[str, Any]:
        """Run the training pipeline and return its closing document."""
        document: dict[str, Any] = self.answer("run", "--shop", self.shop_file)
        return document

    def records(self) -> dict[str, StepRecord]:
        """What the steps of the newest run left about themselves."""
        return read_records(self.home.run(list_runs(self.home)[0].run_id))


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
