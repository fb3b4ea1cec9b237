"""Restore outputs of a run that were lost, while no other run works in the home."""

from collections.abc import Iterable

from components.contracts.errors import BundleError
from components.home.layout import Home
from components.home.runs.lock import hold_lock
from components.lake.fencing import fence_after_takeover
from pipelines.runs.outputs import Lost, Say

LOCK_NAME = "putting back"


class PuttingBack:
    """Restores lost outputs and reports each; ``done`` holds the restored ones."""

    def __init__(self, home: Home, say: Say) -> None:
        self._home, self._say = home, say
        self.done: list[str] = []

    def __call__(self, lost: Iterable[Lost]) -> bool:
        """Put back one after the other; return whether a new run has to replace something.

        Raises:
            HomeBusyError: another run holds the home.
        """
        needs_run = False
        for one in lost:
            needs_run = self._put_back(one) or needs_run
        return needs_run

    def _put_back(self, lost: Lost) -> bool:
        why_not = "no run has kept what it was made of"
        if lost.put_back is not None:
            try:
                with hold_lock(self._home, LOCK_NAME):
                    fence_after_takeover(self._home.root, self._home.tables())
                    lost.put_back(lambda _: None)
            except BundleError as error:
                why_not = str(error)
            else:
                self._say(f"{lost}; it was put back")
                self.done.append(str(lost))
                return False
        self._say(f"{lost}; it cannot be put back: {why_not}" + ("; the run makes it again" if lost.needs_run else ""))
        return lost.needs_run
