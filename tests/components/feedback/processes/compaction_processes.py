"""The processes that move a log's lists."""

from pathlib import Path

import psutil

from components.feedback.compaction import compaction_worker


def workers(folder: Path) -> list[psutil.Process]:
    """Processes that move lists in a log's folder."""
    running = [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"]]
    return [one for one in running if {compaction_worker.__name__, str(folder)} <= set(one.info["cmdline"])]
