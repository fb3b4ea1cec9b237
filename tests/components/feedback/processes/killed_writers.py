"""Processes that write to a sink, one after the other, each killed at a moment of its own.

    python -m tests.components.feedback.processes.killed_writers LOCATION KILLS

They are forked from one that has imported everything, so that a kill may come at any moment from the opening on, and
say ``event ID`` once an event was taken.
"""

import os
import random
import signal
import sys
import time

from components.home.storage.locations import parse_location
from tests.components.feedback.processes.writing_process import main

MAX_SECONDS = 0.7  # from the start of a process to its end: about three times what it needs for its first event


def run(address: str, kills: int) -> None:
    """Start and kill writers."""
    for number in range(kills):
        process = os.fork()
        if not process:
            main(parse_location(address), f"w{number}")
        time.sleep(random.uniform(0.0, MAX_SECONDS))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
