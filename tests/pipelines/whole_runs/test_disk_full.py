"""A disk that fills up during a run: one clear message, nothing lost, and the same home works once there is space."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipelines.conftest import ROOT

pytestmark = pytest.mark.slow(seconds=40)

# A namespace in which anybody may mount; where users may have none, one that root may.
NAMESPACES = (["unshare", "--map-root-user", "--mount"], ["unshare", "--mount"])


@pytest.fixture
def namespace() -> list[str]:
    """The command that lets another one mount a small disk that nobody else sees."""
    for command in NAMESPACES:
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    raise AssertionError(f"found no way to mount a small disk, expected one of {NAMESPACES} to work on this machine")


def test_a_home_whose_disk_fills_up_goes_on_when_there_is_space(namespace: list[str], tmp_path: Path) -> None:
    script = [sys.executable, "-m", "tests.pipelines.whole_runs.filling_disk", str(tmp_path)]
    ended = subprocess.run([*namespace, *script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
