"""A full disk under the log, and space again."""

import subprocess
import sys
from pathlib import Path

from tests.pipelines.conftest import ROOT
from tests.pipelines.whole_runs.test_disk_full import namespace

__all__ = ["namespace"]


def test_a_full_disk_refuses_events_drops_lists_and_recovers_by_itself(namespace: list[str], tmp_path: Path) -> None:
    script = [sys.executable, "-m", "tests.components.feedback.processes.full_disk", str(tmp_path)]
    ended = subprocess.run([*namespace, *script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr
