"""Where a home holds a user, found without the command's own search."""

import re

import pyarrow as pa
import pyarrow.parquet as pq

from components.home.layout import Home
from components.home.storage.documents import names_below, read_document
from tests.online_content import online_content


def where(home: Home, user: str) -> list[str]:
    """Return the files or objects, and the keys of the online store, that hold a user."""
    held, word = [], re.compile(rb"(?<![\w\\])" + re.escape(user.encode()) + rb"(?!\w)")  # not the letter \u0026
    for name in names_below(home.root):
        content = read_document(home.root / name) or b""
        rows = pq.read_table(pa.BufferReader(content)).to_pylist() if name.endswith(".parquet") else []
        held += [name] if word.search(content) or any(f"'{user}'" in str(row) for row in rows) else []
    held += [repr(key) for key in online_content(home.online_url) if key.endswith(user.encode())]
    return held
