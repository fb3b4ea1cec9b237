"""`rankloop run` on Complete Journey beside the same loop as bare library calls, one process a step."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.harness.bare_loop import STEPS

BARE = Path(__file__).with_name("_bare_loop.py")
ROOT = Path(__file__).parents[2]


def main() -> None:
    """Print seconds of both, their ratio, the second run's seconds, and peak memory."""
    rankloop = str(Path(sys.executable).with_name("rankloop"))
    with TemporaryDirectory() as folder:
        run = [rankloop, "run", "--home", f"{folder}/home", "--json"]
        whole = _seconds(run)
        peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        again = _seconds(run)
        steps = {step.__name__: _bare_seconds(step.__name__, Path(folder)) for step in STEPS}
    bare = sum(steps.values())
    print(f"rankloop run {whole:.1f} s, bare calls {bare:.1f} s: {whole / bare:.2f} times (at most 1.3)")
    print("bare steps: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in steps.items()))
    print(f"peak memory of a step {peak_gb:.1f} GB (at most 4); second run with nothing new {again:.1f} s (at most 5)")


def _bare_seconds(step: str, folder: Path) -> float:
    return _seconds([sys.executable, str(BARE), step, str(folder)])


def _seconds(command: list[str]) -> float:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    subprocess.run(command, env=kept, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
