"""The last look: every file of a home is searched for a user who was erased.

Tables are searched row by row, and their ids of sessions and requests for this one as a part; documents name by name,
the online store's file key by key. An id that is hardly met by chance is looked for as bytes in every file too; ``12``
is not, for it stands in every report.
"""

import json
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from components.contracts.tables import ITEM_CODES
from components.erasure.targets import is_in_file
from components.feedback.erasure import holds_part
from components.feedback.journal.segments import ENDING
from components.home.data_subject import USER_ID, Person
from components.home.disk.presence import files_below
from components.home.layout import Home
from components.lake.erasure import LOG, holds_user, parts_in_file, rows_in_file
from components.lake.tables import open_table
from feature_repo.packed_online_store.backends.lmdb_compaction import DATA

DOCUMENTS: dict[str, Callable[[bytes], list[bytes]]] = {".json": lambda found: [found], ".jsonl": bytes.splitlines}


@dataclass(frozen=True)
class Sweep:
    """What was searched, whether any file was searched for the bare id, and the files that still hold it."""

    files: int
    bytes: int
    by_bytes: bool
    held_by: tuple[str, ...]


def sweep(home: Home, person: Person) -> Sweep:
    """Search every file of a home, each once however many names it has."""
    by_bytes = person.is_telling and not person.is_item
    found = list(_files(home.root))
    held = [path for path in found if _holds(path, person, by_bytes)]
    return Sweep(
        files=len(found),
        bytes=sum(path.stat().st_size for path in found),
        by_bytes=by_bytes,
        held_by=tuple(str(path.relative_to(home.root)) for path in held),
    )


def is_item(home: Home, person: Person) -> bool:
    """Whether an item goes by the same id: files that name it do not name the user."""
    table = open_table(home.clean / "item_codes")
    if table is None:
        return False
    items = table.to_pyarrow_table(columns=[ITEM_CODES.names[0]]).column(0)
    return bool(pc.any(pc.equal(items, person.user_id)).as_py())


def _files(root: Path) -> Iterator[Path]:
    seen = set()
    for path in files_below(root):
        if path.is_symlink() or not path.is_file():
            continue
        found = path.stat()
        if (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            yield path


def _holds(path: Path, person: Person, by_bytes: bool) -> bool:
    if by_bytes and path.name != DATA and _is_among_bytes(path, person):
        return True
    if path.parent.name == LOG:
        return holds_user(path, person)
    if path.suffix == ".parquet":
        return rows_in_file(path, person) != 0 or parts_in_file(path, person) != 0
    if path.name == DATA:
        return is_in_file(path.parent, person)
    if path.suffix == ENDING and holds_part(path, person):
        return True
    return path.suffix in DOCUMENTS and _is_in_documents(path, Person(person.user_id))


def _is_among_bytes(path: Path, person: Person) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return person.token.search(content) is not None


def _is_in_documents(path: Path, person: Person) -> bool:
    """Whether a JSON document, or one of a file's lines, names the user as ``user_id``."""
    content = path.read_bytes()
    return USER_ID.encode() in content and any(person.is_in(_read(each)) for each in DOCUMENTS[path.suffix](content))


def _read(document: bytes) -> Any:
    try:
        return json.loads(document)
    except ValueError:
        return None
