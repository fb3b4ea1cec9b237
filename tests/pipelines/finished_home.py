"""A home in which a run has finished: made once per test process, and put back for each file of tests."""

import subprocess
from copy import copy
from pathlib import Path

from tests.pipelines.tiny_shop import EASY, LivingHome, Size, make_tiny_shop

# No ranker is that quick: the gate refuses every one, whatever it learned.
REFUSING = EASY.replace("[gate]", "[gate]\nlatency_budget_ms = 1e-6")


class FinishedHome:
    """A shop and its home, kept as one run left them.

    They are always restored to the folder in which the run was, since its records hold absolute paths.
    """

    def __init__(self, folder: Path, size: Size, settings: str = EASY) -> None:
        self._folder, self._kept = folder / "used", folder / "kept"
        self._made = LivingHome(make_tiny_shop(self._folder / "shop", size, settings))
        _copy(self._folder, self._kept)

    def restored(self) -> LivingHome:
        """Undo everything that tests did to the shop and its home."""
        subprocess.run(["rm", "-rf", self._folder], check=True)
        _copy(self._kept, self._folder)
        return copy(self._made)


def _copy(source: Path, target: Path) -> None:
    """Copy with links and times: a run reads no source again whose size and time are known."""
    subprocess.run(["cp", "-a", source, target], check=True)
