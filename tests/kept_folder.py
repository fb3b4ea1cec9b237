"""A folder that is costly to make, made once and put back for each file of tests that changes it."""

import subprocess
from pathlib import Path


class KeptFolder:
    """A folder as it is now; it is always put back at its place, since records of a home hold absolute paths."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._kept = folder, folder.with_name(f"{folder.name}-kept")
        _copy(self._folder, self._kept)

    def restore(self) -> None:
        """Undo everything that tests did in the folder."""
        subprocess.run(["rm", "-rf", self._folder], check=True)
        _copy(self._kept, self._folder)


def _copy(source: Path, target: Path) -> None:
    """Copy with links and times: a run reads no source again whose size and time are known."""
    subprocess.run(["cp", "-a", source, target], check=True)
