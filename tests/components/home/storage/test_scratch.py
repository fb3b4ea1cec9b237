"""Copies of objects that are looked at once go again, also those of a process that was killed."""

import subprocess
import sys
from pathlib import Path

from components.home.disk.presence import files_below
from components.home.storage.documents import write_document
from components.home.storage.locations import BucketPath, Location
from components.home.storage.scratch import remove_abandoned_copies, uncached_file

LOOKING = """
import sys
from components.home.storage.locations import parse_location
from components.home.storage.scratch import uncached_file
with uncached_file(parse_location(sys.argv[1])):
    print("looking", flush=True)
    sys.stdin.read()
"""


def test_a_file_is_looked_at_under_its_own_names_and_nothing_stays(location: Location, tmp_path: Path) -> None:
    write_document(location / "_delta_log" / "0 ü.json", b"content")
    with uncached_file(location / "_delta_log" / "0 ü.json") as path:
        assert (path.parent.name, path.name, path.read_bytes()) == ("_delta_log", "0 ü.json", b"content")
    assert list(files_below(tmp_path / "cache")) == []


def test_copies_of_killed_processes_are_known_from_those_in_use(bucket: BucketPath) -> None:
    write_document(bucket / "object", b"content")
    words = [sys.executable, "-c", LOOKING, str(bucket / "object")]
    with (
        uncached_file(bucket / "object") as in_use,
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed,
    ):
        assert killed.stdout is not None
        assert killed.stdout.readline() == "looking\n"
        assert remove_abandoned_copies() == 0
        killed.kill()
        killed.wait()
        assert (remove_abandoned_copies(), remove_abandoned_copies()) == (1, 0)
        assert in_use.read_bytes() == b"content"
