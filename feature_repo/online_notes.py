"""The home's note of the rows that a run wrote online, and where: without them, a store was emptied or replaced."""

import json
from dataclasses import asdict, dataclass

from components.contracts.urls import public_url
from components.home.layout import Home
from components.home.storage.documents import read_document, write_document
from components.home.storage.locations import Location
from feature_repo.packed_online_store.inventory import Inventory


@dataclass(frozen=True)
class OnlineNote:
    """The inventory of one feature revision; ``place`` is the store's URL without its secrets."""

    place: str
    inventory: Inventory


def write_note(home: Home, revision: str, inventory: Inventory) -> None:
    """Note what stands in the home's store at a revision."""
    record = {"place": public_url(home.online_url), **asdict(inventory)}
    write_document(_place(home, revision), json.dumps(record, indent=1).encode())


def read_note(home: Home, revision: str) -> OnlineNote | None:
    """Read the note of the rows that a run wrote online at a revision; None where it cannot be read."""
    try:
        content = read_document(_place(home, revision)) or b""
        place, inventory = json.loads(content).get("place"), Inventory.read(content)
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return OnlineNote(str(place), inventory) if inventory else None


def _place(home: Home, revision: str) -> Location:
    return home.feature_store / "online" / f"{revision}.json"
