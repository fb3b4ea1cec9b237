"""Kill ``rankloop run`` with SIGKILL in the middle of a chosen step."""

import random
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import psutil

from components.contracts.home import Home
from components.contracts.steps import read_records
from pipelines.run_record import list_runs
from pipelines.step_order import TRAINING

Victim = Literal["everything", "command", "step"]
VICTIMS: tuple[Victim, ...] = ("everything", "command", "step")
PATIENCE_SECONDS = 300


@dataclass(frozen=True)
class Kill:
    """Who is killed when: all processes at once, the command alone (its leash takes the rest), or the step alone."""

    step: str
    after: float  # seconds since the step began
    victim: Victim


def planned_kills(seed: int, seconds: Mapping[str, float]) -> list[Kill]:
    """Plan one kill for every step, at a random moment of its usual seconds."""
    draw = random.Random(seed)
    return [Kill(step, draw.random() * seconds[step], draw.choice(VICTIMS)) for step in TRAINING]


def run_and_kill(run: Sequence[str], home: Home, kill: Kill) -> str:
    """Start a run, kill it, and return the step that it had come to: a later one, if the step took less time."""
    earlier = {path.name for path in home.runs.glob("*")}
    with subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as started:
        folder = None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while folder is None and started.poll() is None and time.monotonic() < deadline:
            found = [path for path in home.runs.glob(f"*/steps/{kill.step}.json") if path.parts[-3] not in earlier]
            folder = found[0].parents[1] if found else None
            time.sleep(0.005)
        if folder is None:
            started.kill()
            raise AssertionError(f"{kill} found no such step; the command ended with {started.poll()}")
        time.sleep(kill.after)
        _kill(started.pid, kill.victim)
    return list(read_records(folder))[-1]


def _kill(command: int, victim: Victim) -> None:
    """Kill, and wait until the whole family is gone."""
    parent = psutil.Process(command)
    family = [parent, *parent.children(recursive=True)]
    # the command, the KFP process, the step's process: between two steps there is none
    chosen = {"everything": family, "command": family[:1], "step": family[2:]}[victim]
    for process in chosen:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=PATIENCE_SECONDS)


def states_of(home: Home) -> list[str]:
    """How the runs of a home ended, the oldest first."""
    return [run.state for run in reversed(list_runs(home))]
