"""The last look: every file or object of a home is searched for a user who was erased."""

from contextlib import ExitStack
from dataclasses import dataclass

import pyarrow.compute as pc

from components.contracts.tables import ITEM_CODES
from components.erasure.search import by_bytes, holds
from components.home.data_subject import DataSubject
from components.home.layout import Home
from components.home.storage.documents import sizes_below
from components.home.storage.locations import Location
from components.home.storage.scratch import uncached_file
from components.lake.tables import open_table


@dataclass(frozen=True)
class Sweep:
    """What was searched, whether any file was searched for the bare id, and the files that still hold it."""

    files: int
    bytes: int
    by_bytes: bool
    held_by: tuple[str, ...]


def sweep(home: Home, person: DataSubject) -> Sweep:
    """Search every file of a home, each once however many names it has."""
    sizes = sizes_below(home.root)
    held = [name for name in sizes if _is_held(home.root / name, person)]
    return Sweep(len(sizes), sum(sizes.values()), by_bytes=by_bytes(person), held_by=tuple(held))


def _is_held(file: Location, person: DataSubject) -> bool:
    with ExitStack() as stack:
        try:
            path = stack.enter_context(uncached_file(file))
        except FileNotFoundError:  # the object went meanwhile
            return False
        return holds(path, person)


def is_item(home: Home, person: DataSubject) -> bool:
    """Whether an item goes by the same id: files that name it do not name the user."""
    table = open_table(home.clean / "item_codes")
    if table is None:
        return False
    items = table.to_pyarrow_table(columns=[ITEM_CODES.names[0]]).column(0)
    return bool(pc.any(pc.equal(items, person.user_id)).as_py())
