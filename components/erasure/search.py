"""Whether a file holds anything of a user.

Tables are searched row by row, and their ids of sessions and requests for this one as a part; documents name by name,
the online store's file key by key. An id that is hardly met by chance is looked for as bytes in every file too; ``12``
is not, for it stands in every report.
"""

import json
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from components.erasure.online import is_in_file
from components.feedback.erasure import holds_part
from components.feedback.segments.files import ENDING
from components.home.data_subject import USER_ID, DataSubject
from components.lake.erasure import holds_user, parts_in_file, rows_in_file
from components.lake.tables import LOG
from feature_repo.packed_online_store.backends.lmdb_compaction import DATA

Documents = Callable[[bytes], list[bytes]]
WHOLE: Documents = lambda content: [content]  # noqa: E731
DOCUMENTS: dict[str, Documents] = {".json": WHOLE, "": WHOLE, ".jsonl": bytes.splitlines}  # a cached file has no ending
PARQUET = b"PAR1"


def by_bytes(person: DataSubject) -> bool:
    """Say whether every file is searched for the bare id."""
    return person.is_searchable and not person.is_item


def holds(path: Path, person: DataSubject) -> bool:
    """Say whether a file of a home holds anything of a user."""
    if by_bytes(person) and path.name != DATA and _is_among_bytes(path, person):
        return True
    if path.parent.name == LOG:
        return holds_user(path, person)
    if path.suffix == ".parquet" or _begins_as_parquet(path):
        return rows_in_file(path, person) != 0 or parts_in_file(path, person) != 0
    if path.name == DATA:
        return is_in_file(path.parent, person)
    if path.suffix == ENDING and holds_part(path, person):
        return True
    return path.suffix in DOCUMENTS and _is_in_documents(path, DataSubject(person.user_id))


def _begins_as_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(PARQUET)) == PARQUET


def _is_among_bytes(path: Path, person: DataSubject) -> bool:
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return person.token.search(content) is not None


def _is_in_documents(path: Path, person: DataSubject) -> bool:
    """Whether a JSON document, or one of a file's lines, names the user as ``user_id``."""
    content = path.read_bytes()
    return USER_ID.encode() in content and any(person.is_in(_read(each)) for each in DOCUMENTS[path.suffix](content))


def _read(document: bytes) -> Any:
    try:
        return json.loads(document)
    except ValueError:
        return None
