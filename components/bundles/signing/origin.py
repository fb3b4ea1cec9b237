"""The code that makes a bundle: its revision in Git, the lock of its libraries, and the image it runs in."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.home.runs.kubeflow import RUN_VARIABLE

ROOT = Path(__file__).parents[3]
LOCK = "uv.lock"
REVISION_VARIABLE = "RANKLOOP_REVISION"  # of an image: components/Dockerfile
IMAGE_VARIABLE = "RANKLOOP_IMAGE"  # of a task: pipelines/kubernetes.py
GIT_SECONDS = 10.0


@dataclass(frozen=True)
class Origin:
    """What is known of the code; None for what is not.

    ``commit`` is of Git, ``is_modified`` says that the files may not have been those of the commit, ``lock`` is the
    SHA-256 of ``uv.lock``, ``image`` names an image by its digest.
    """

    commit: str | None = None
    is_modified: bool = False
    lock: str | None = None
    image: str | None = None

    @property
    def builder(self) -> str:
        """Return what made the bundle, as a URI."""
        return "urn:rankloop:kubeflow" if self.image else "urn:rankloop:machine"


def origin_of_code(variables: Mapping[str, str] | None = None) -> Origin:
    """Return the origin of the code that runs here: a checkout, or an image that says it by variables and files."""
    variables = os.environ if variables is None else variables
    commit, is_modified = variables.get(REVISION_VARIABLE) or None, False
    if commit is None and (ROOT / ".git").exists():
        commit = _git("rev-parse", "HEAD")
        is_modified = _git("status", "--porcelain", "--untracked-files=no") != ""
    is_on_cluster = RUN_VARIABLE in variables  # a run on this machine is given the variables of tasks too
    return Origin(commit, is_modified, _lock(), variables.get(IMAGE_VARIABLE) if is_on_cluster else None)


def _git(*words: str) -> str | None:
    """Return what a Git command says of the checkout; None where it cannot, as without Git."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _lock() -> str | None:
    """Return the digest of the lock: of a checkout's file, or as the image notes it."""
    note = Path(sys.prefix) / f"{LOCK}.sha256"
    if note.is_file():
        return note.read_text().split()[0]
    file = ROOT / LOCK
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
