"""A journal on a disk of its own that is unmounted while it is written, and mounted again.

    unshare --map-root-user --mount python -m tests.components.feedback.processes.unmounted_disk FOLDER

Ends with exit code 0 if nothing was acknowledged that the disk does not hold. Needs a mount namespace of its own.
"""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from components.feedback.group_writer import EventLine, GroupWriter, WritingLimits
from components.feedback.segment_sink import journal_writer
from components.feedback.segments.files import segments, whole_lines
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.sink import EventsRefusedError

PATIENCE_SECONDS = 120


def main() -> None:
    """Take events before, while and after the disk is away."""
    device, disk = Path(sys.argv[1], "device"), Path(sys.argv[1], "feedback")
    for folder in (device, disk):
        folder.mkdir()
    _run("mount", "-t", "tmpfs", "disk", device)
    _run("mount", "--bind", device, disk)
    journal = journal_writer(FeedbackLayout(disk), WritingLimits())
    taken = [name for name in ("before",) if _is_taken(journal, name)]
    _run("umount", "--lazy", disk)
    taken += [name for name in ("away", "still away") if _is_taken(journal, name)]
    assert not any(disk.iterdir()), "nothing is written under the place of a disk"
    _run("mount", "--bind", device, disk)
    taken += [name for name in ("back",) if _is_taken(journal, name)]
    journal.close()
    held = b"".join(map(whole_lines, segments(FeedbackLayout(disk).events))).decode().splitlines()
    assert taken == held == ["before", "back"], (taken, held)


def _is_taken(journal: GroupWriter, name: str) -> bool:
    with suppress(EventsRefusedError):
        journal.submit([EventLine(name, "ann", f"{name}\n".encode())]).result(PATIENCE_SECONDS)
        return True
    return False


def _run(*words: str | Path) -> None:
    subprocess.run(list(map(str, words)), check=True)


if __name__ == "__main__":
    main()
