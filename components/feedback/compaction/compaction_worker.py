"""A process that moves sealed segments in idle processor time: ``python -m … FOLDER``.

It moves whenever it reads a line and answers with one; where its input ends, it ends.
"""

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

LEAST_PRIORITY = 19


def main() -> None:
    """Answer each line of the input with the number of moved rows, or with an error."""
    _lower_priority()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the service ends it, after the move that is under way
    from deltalake.exceptions import DeltaError  # only now: what these bring along takes a while

    from components.contracts.errors import RankloopError
    from components.feedback.compaction.moving_lists import move_lists
    from components.feedback.segments.layout import FeedbackLayout

    for _ in sys.stdin:
        try:
            answer: dict[str, int | str] = {"moved": move_lists(FeedbackLayout(Path(sys.argv[1])))}
        except (RankloopError, DeltaError, OSError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


def _lower_priority() -> None:
    os.nice(LEAST_PRIORITY)
    if sys.platform == "linux":  # where such a process runs only when no other one would
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


if __name__ == "__main__":
    main()
