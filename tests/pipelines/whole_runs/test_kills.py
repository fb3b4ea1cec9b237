"""A run killed at random moments, and run again each time, leaves what an undisturbed run leaves.

A round kills once in each step that writes what outlives its run, on one home, at moments drawn from a seed, and then
runs to the end. More rounds also kill in the steps that write nothing but into the folder of their run::

    RANKLOOP_KILL_ROUNDS=20 RANKLOOP_KILL_SEED=100 pytest tests/pipelines/whole_runs/test_kills.py
"""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.contracts.steps.declared import steps_of
from components.home.layout import Home
from components.home.runs.lock import lock_holder
from tests.pipelines.homes.home_content import content_of
from tests.pipelines.homes.tiny_shop import LivingHome, command, rankloop
from tests.pipelines.whole_runs.killing import planned_kills, run_and_kill, states_of

pytestmark = pytest.mark.slow(seconds=90)

ROUNDS = int(os.environ.get("RANKLOOP_KILL_ROUNDS", "1"))
FIRST_SEED = int(os.environ.get("RANKLOOP_KILL_SEED", "1"))
WRITING = (
    "ingest_events",
    "validate_events",
    "build_features",
    "materialize_features",
    "build_training_set",
    "publish_bundle",
)
KILLED_STEPS = WRITING if ROUNDS == 1 else steps_of("training")


@dataclass(frozen=True)
class Undisturbed:
    """What a run that nobody kills leaves, and how long its steps took."""

    shop_file: Path
    content: dict[str, str]
    seconds: dict[str, float]


@pytest.fixture(scope="module")
def undisturbed(ranker_home: LivingHome) -> Undisturbed:
    seconds = {name: record.seconds for name, record in ranker_home.records().items()}
    return Undisturbed(ranker_home.shop_file, content_of(ranker_home.home), seconds)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + ROUNDS))
def test_a_run_killed_wherever_it_writes_ends_as_one_that_nobody_killed(
    undisturbed: Undisturbed, tmp_path: Path, seed: int
) -> None:
    home = Home(tmp_path / "home")
    run = command("run", "--shop", undisturbed.shop_file, "--home", home.root, "--again")
    for kill in planned_kills(seed, KILLED_STEPS, undisturbed.seconds):
        died_in = run_and_kill(run, home, kill)
        state = states_of(home)[-1]
        print(f"{kill} died in {died_in}: {state}")
        assert lock_holder(home) is None
        assert state in ("failed" if kill.victim == "step" else "killed", "done")
    assert states_of(home).count("done") < len(KILLED_STEPS) / 2, "most kills came when the run was over"
    ended = rankloop(*run[1:])
    assert ended.returncode == 0, ended.stderr
    assert content_of(home) == undisturbed.content
    assert not list(home.runs.glob("*/scratch"))
