"""A home in which a run has finished: made once per test process, and put back for each file of tests."""

from copy import copy
from pathlib import Path

from tests.kept_folder import KeptFolder
from tests.pipelines.homes.tiny_shop import EASY, LivingHome, Size, make_tiny_shop

# No ranker is that quick, so the gate refuses every one.
REFUSING = EASY.replace("[gate]", "[gate]\nlatency_budget_ms = 1e-6")


class FinishedHome:
    """A shop and its home, kept as one run left them."""

    def __init__(self, folder: Path, size: Size, settings: str = EASY) -> None:
        self._made = LivingHome(make_tiny_shop(folder / "shop", size, settings))
        self._kept = KeptFolder(folder)

    def restored(self) -> LivingHome:
        """Undo everything that tests did to the shop and its home."""
        self._kept.restore()
        return copy(self._made)
