"""Publish and promote a second bundle over a first one, killed at every file operation in turn.

    python -m tests.components.bundles.kill_everywhere FOLDER

Prints one line a kill: how often, and what the environment serves afterwards. Each attempt runs in a forked process
that ends itself, without any clean-up, at its n-th file operation; the next attempt starts from what it left.
"""

import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path

from components.bundles.environments import PointerFiles
from components.bundles.loading import Bundle, open_bundle
from components.bundles.promotion import promote
from components.bundles.store import find_bundle, publish_folder
from components.home.layout import Home
from tests.components.bundles.drafts import sealed_folders

FILE_OPERATIONS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.copyfile", "shutil.rmtree"}
NOW = "2024-06-03T02:00:00+00:00"
KILLED = 9


def die_at(operation: int, folder: Path) -> None:
    """End this process at its n-th file operation below a folder, as a kill would."""
    left = operation

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in FILE_OPERATIONS and str(arguments[0]).startswith(str(folder)):
            left -= 1
            if left == 0:
                os._exit(KILLED)

    sys.addaudithook(count)


def publish_and_promote(home: Home, draft: Bundle) -> None:
    """Publish a draft with a verdict that says promote, and promote it."""
    sidecar = replace(draft.sidecar, verdict={"promote": True, "checks": []})
    publish_folder(home.models, draft, sidecar)
    promote(home, "corner", draft.digest, "local", NOW)


def attempt(home: Home, draft: Bundle, operation: int) -> bool:
    """Publish and promote in a process killed at an operation; return whether it was killed."""
    child = os.fork()
    if child == 0:
        die_at(operation, home.root)
        publish_and_promote(home, draft)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == KILLED


def check_state(home: Home, allowed: tuple[str, ...]) -> str:
    """Check that what is served is whole, and so is everything in the store; return what is served."""
    served = PointerFiles(home.environments).read("local").bundle
    if served not in allowed:
        raise SystemExit(f"serves {served}, expected one of {allowed}")
    find_bundle(home.models, "corner", served)
    for folder in sealed_folders(home.models):
        open_bundle(folder)
    return served


def main(folder: Path) -> None:
    """Kill at every operation until an attempt gets through."""
    import bentoml.models  # noqa: F401 - imported before the fork, once
    import xgboost  # noqa: F401

    home = Home(folder / "home")
    first, second = (open_bundle(folder / name / "draft") for name in ("first", "second"))
    if attempt(home, first, 0):
        raise SystemExit("an undisturbed attempt was killed")
    operation = 1
    while attempt(home, second, operation):
        print(operation, check_state(home, (first.digest, second.digest)))
        operation += 1
    if check_state(home, (second.digest,)) == second.digest:
        print("done", second.digest)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
