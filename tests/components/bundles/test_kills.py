import os
import subprocess
import sys
from pathlib import Path

from tests.components.bundles.drafts import ranker_draft, written


def test_a_kill_at_any_file_operation_leaves_the_old_or_the_new_bundle(tmp_path: Path) -> None:
    first = written(tmp_path / "first")
    second = written(tmp_path / "second", ranker_draft(k=5))
    command = [sys.executable, "-m", "tests.components.bundles.kill_everywhere", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == 0, done.stderr
    *kills, last = [line.split() for line in done.stdout.splitlines()]
    assert last == ["done", second.digest]
    served = [digest for _, digest in kills]
    assert len(served) > 20
    assert set(served) == {first.digest, second.digest}
    assert served == sorted(served, key=lambda digest: digest == second.digest)
