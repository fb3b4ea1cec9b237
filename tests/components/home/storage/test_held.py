"""Every way to write below a home asks the lease first, but for the run's own folder."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from components.contracts.errors import HomeBusyError
from components.home.storage import documents, objects
from components.home.storage.held import check_held, working_under
from components.home.storage.locations import BucketPath
from components.lake.tables import append_rows, create_table, open_table
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.clock import wall_clock

ROWS = pa.table({"number": [1]})


class LostLease:
    """The lease of a run that another has taken the home from."""

    after_expiry = False

    def __init__(self, home: BucketPath) -> None:
        self._home = home

    def owns(self, location: BucketPath) -> bool:
        return location.is_below(self._home / "runs" / "mine")

    def check(self) -> None:
        raise HomeBusyError("lost")


def publish_file(place: BucketPath, folder: Path) -> None:
    (folder / "draft").write_bytes(b"content")
    objects.publish_file(folder / "draft", place)


def publish_folder(place: BucketPath, folder: Path) -> None:
    publish_file_of = folder / "drafts"
    publish_file_of.mkdir()
    (publish_file_of / "file").write_bytes(b"content")
    objects.publish_folder(publish_file_of, place)


WRITES: dict[str, Callable[[BucketPath, Path], object]] = {
    "write": lambda place, _: documents.write_document(place, b""),
    "replace": lambda place, _: documents.replace_document(place, b""),
    "create": lambda place, _: documents.create_document(place, b""),
    "update": lambda place, _: documents.update_document(place, lambda _: b""),
    "remove": lambda place, _: documents.remove_document(place),
    "file": publish_file,
    "folder": publish_folder,
    "remove folder": lambda place, _: objects.remove_folder(place),
    "new table": lambda place, _: append_rows(place, ROWS, {}),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_run_that_lost_its_lease_writes_to_its_own_folder_alone(
    bucket: BucketPath, tmp_path: Path, name: str
) -> None:
    with working_under(bucket, LostLease(bucket)):
        with pytest.raises(HomeBusyError, match="lost"):
            WRITES[name](bucket / "place", tmp_path)
        check_held(bucket / "runs" / "mine" / "run.json")
        with pytest.raises(HomeBusyError, match="lost"):
            check_held(bucket / "runs" / "of another" / "run.json")
    assert list(documents.names_below(bucket)) == []


def test_a_run_that_lost_its_lease_appends_nothing(bucket: BucketPath) -> None:
    create_table(bucket / "table", ROWS.schema)
    with working_under(bucket, LostLease(bucket)), pytest.raises(HomeBusyError, match="lost"):
        append_rows(bucket / "table", ROWS, {})
    table = open_table(bucket / "table")
    assert table is not None
    assert table.version() == 0


def test_a_run_that_lost_its_lease_changes_no_online_row(bucket: BucketPath, tmp_path: Path) -> None:
    client = PackedClient.open(
        f"lmdb://{tmp_path}/online",
        project="p",
        revision="r",
        clock=wall_clock,
        before_write=lambda: check_held(bucket),
    )
    client.set_catalogue(b"before")
    with working_under(bucket, LostLease(bucket)):
        for write in (
            lambda: client.set_catalogue(b"after"),
            lambda: client.delete_revision("view", "r"),
            lambda: client.backend.write_newer(b"mark", [], b"", b""),
        ):
            with pytest.raises(HomeBusyError, match="lost"):
                write()
    assert client.catalogue() == b"before"
    client.close()
