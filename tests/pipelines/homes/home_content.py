"""The content of a home, as digests by which two homes are compared."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pytest

from components.home.handed import handed_folder
from components.home.layout import ONLINE_VARIABLE, Home
from components.home.runs.records import list_runs
from components.home.runs.step_records import read_records
from components.home.storage.documents import names_below, read_document
from components.home.storage.locations import Location
from components.lake.tables import open_table
from feature_repo.packed_online_store.backends.backend import HEADER
from tests.online_content import online_content

OF_THE_WALL_CLOCK = ("ingested_at",)


def content_of(home: Home) -> dict[str, str]:
    """Digest every table by its rows, the online rows, and what the last training run left."""
    return stored_content(home) | {"online": _online_digest(home.online_url)}


def stored_content(home: Home) -> dict[str, str]:
    """Digest the same without the online rows, which may lie where this machine cannot read them."""
    lake = home.root / "lake"
    names = {name.partition("/_delta_log/")[0] for name in names_below(lake) if "/_delta_log/" in name}
    return {f"lake/{name}": _rows_digest(lake / name) for name in sorted(names)} | last_digests(home)


def content_of_folder(home: Home) -> dict[str, str]:
    """Digest a folder home, whose rows are not in the Redis that the environment names for another one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(ONLINE_VARIABLE, raising=False)
        return content_of(home)


def last_digests(home: Home) -> dict[str, str]:
    """The digests of the feature set, the examples and the bundle of the last training run, and what is served."""
    last = next(run for run in list_runs(home) if run.pipeline == "training")
    records = read_records(home.run(last.run_id))
    handles = {kind: handle for record in records.values() for kind, handle in record.handles.items()}
    found = {kind: str(handles[kind].digest) for kind in ("features", "bundle")}
    pointer = read_document(home.environments / "local.json")
    served = json.loads(pointer)["moves"][-1]["bundle"] if pointer else "nothing"
    return found | {"examples": _files_digest(handed_folder(handles["examples"])), "served": served}


def _rows_digest(place: Location) -> str:
    table = open_table(place)
    assert table is not None, place
    rows = pa.table(table.to_pyarrow_table())
    rows = rows.drop_columns([name for name in OF_THE_WALL_CLOCK if name in rows.column_names])
    return _digest(sorted(repr(row) for row in rows.to_pylist()))


def _online_digest(url: str) -> str:
    """Digest all keys and values but what is random: the marks of writes, and the token of the run that wrote."""
    content = online_content(url)
    keys = [key for key in sorted(content) if not key.startswith(b"rl1-mark/")]
    cells = [repr((key, _comparable(key, content[key]))) for key in keys]
    return _digest(cells)


def _comparable(key: bytes, value: bytes) -> object:
    if key.startswith(b"rl1-inventory/"):
        return {name: held for name, held in json.loads(value).items() if name != "token"}
    return _without_codes_version(value)  # retries may move it


def _without_codes_version(value: bytes) -> bytes:
    start = HEADER.fields["item_codes"][1] if HEADER.fields else 0
    return value[:start] + value[start + 4 :]


def _files_digest(folder: Path) -> str:
    return _digest(
        [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in sorted(folder.iterdir())]
    )


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
