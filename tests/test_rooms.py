"""No room holds more modules than a reader can keep in mind."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_MODULES = 16
EXCEPTIONS = {"pipelines/commands": "one module a command, each imported when it is called"}
ROOMS = sorted(
    str(door.parent.relative_to(ROOT))
    for package in ("components", "feature_repo", "pipelines")
    for door in (ROOT / package).rglob("__init__.py")
)


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in EXCEPTIONS])
def test_a_room_has_at_most_sixteen_modules(room: str) -> None:
    modules = [file.name for file in (ROOT / room).glob("*.py") if file.name != "__init__.py"]
    assert len(modules) <= MAX_MODULES, f"{room}: give it inner rooms, or merge what is one thought"
