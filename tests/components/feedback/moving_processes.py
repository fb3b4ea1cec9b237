"""The processes that move a log's lists."""

from pathlib import Path

import psutil

from components.feedback.compaction import moving_aside


def helpers(folder: Path) -> list[psutil.Process]:
    """Processes that move lists in a log's folder."""
    running = [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"]]
    return [one for one in running if {moving_aside.__name__, str(folder)} <= set(one.info["cmdline"])]
