"""Kill ``rankloop run`` with SIGKILL in the middle of a chosen step."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

import psutil

from components.home.layout import Home
from components.home.runs.records import list_runs, run_ids
from components.home.runs.step_records import read_records
from components.home.storage.documents import has_document
from components.home.storage.locations import Location

Victim = Literal["everything", "command", "step"]
VICTIMS: tuple[Victim, ...] = ("everything", "command", "step")
PATIENCE_SECONDS = 900
PAUSE_SECONDS = 0.02


@dataclass(frozen=True)
class Kill:
    """Who is killed when: all processes at once, the command alone (its leash takes the rest), or the step alone."""

    step: str
    after: float  # seconds since the step began
    victim: Victim


def planned_kills(seed: int, steps: Iterable[str], seconds: Mapping[str, float]) -> list[Kill]:
    """Plan one kill for each step, at a random moment of its usual seconds; the victims take turns."""
    draw, victims = random.Random(seed), cycle(VICTIMS[seed % 3 :] + VICTIMS[: seed % 3])
    return [Kill(step, draw.random() * seconds[step], next(victims)) for step in steps]


def run_and_kill(run: Sequence[str], home: Home, kill: Kill) -> str:
    """Start a run, kill it, and return the step that it had come to: the next one, if the step took less time."""
    earlier = set(run_ids(home))
    with subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as started:
        folder: Location | None = None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while folder is None and started.poll() is None and time.monotonic() < deadline:
            begun = [home.run(run_id) for run_id in run_ids(home) if run_id not in earlier]
            folder = next((run for run in begun if has_document(run / "steps" / f"{kill.step}.json")), None)
            time.sleep(PAUSE_SECONDS)
        if folder is None:
            started.kill()
            raise AssertionError(f"{kill} found no such step; the command ended with {started.poll()}")
        ends = time.monotonic() + kill.after
        while time.monotonic() < ends and read_records(folder)[kill.step].state == "running":
            time.sleep(PAUSE_SECONDS)
        come_to = list(read_records(folder))[-1]
        _kill(started, kill.victim)
    return come_to


def _kill(started: subprocess.Popen[bytes], victim: Victim) -> None:
    """Kill, and wait until the whole family is gone; a command that has ended is left in peace."""
    family = _family(started)
    while victim == "step" and len(family) in (1, 2):  # between two steps
        time.sleep(0.005)
        family = _family(started)
    for process in {"everything": family, "command": family[:1], "step": family[2:]}[victim]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    if victim == "everything" and len(family) > 1:  # a step that KFP's process, the first of its group, began meanwhile
        with suppress(ProcessLookupError):
            os.killpg(family[1].pid, signal.SIGKILL)
    psutil.wait_procs(family, timeout=PATIENCE_SECONDS)


def _family(started: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The command, the KFP process, the processes of the step at work; none when the command has ended."""
    if started.poll() is not None:
        return []
    parent = psutil.Process(started.pid)
    return [parent, *parent.children(recursive=True)]


def states_of(home: Home) -> list[str]:
    """How the runs of a home ended, the oldest first."""
    return [run.state for run in reversed(list_runs(home))]
