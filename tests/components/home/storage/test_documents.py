import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.home.storage.documents import (
    create_document,
    document_stamp,
    has_document,
    list_names,
    names_below,
    read_document,
    remove_document,
    remove_documents,
    sizes_below,
    update_document,
    write_document,
)
from components.home.storage.locations import BucketPath, Location


def test_a_document_is_written_read_listed_and_removed(location: Location) -> None:
    document = location / "runs" / "1 ü.json"
    assert (read_document(document), has_document(document), list_names(location)) == (None, False, [])
    write_document(document, b"one")
    write_document(document, b"two")
    assert (read_document(document), has_document(document)) == (b"two", True)
    assert (list_names(location), list_names(location / "runs")) == (["runs"], ["1 ü.json"])
    remove_document(document)
    remove_document(document)
    assert read_document(document) is None


def test_documents_are_removed_together(location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.home.storage.documents.DELETED_AT_ONCE", 2)
    names = ["1", "2 & <3>", "ü/4"]
    for name in [*names, "stays"]:
        write_document(location / name, b"")
    remove_documents(location / name for name in [*names, "never was"])
    assert list(names_below(location)) == ["stays"]


def test_a_prefix_that_was_emptied_has_no_names(location: Location) -> None:
    write_document(location / "sets" / "1", b"")
    remove_document(location / "sets" / "1")
    assert (list_names(location / "sets"), list(names_below(location / "sets"))) == ([], [])


def test_of_several_that_create_a_document_one_does(bucket: BucketPath) -> None:
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda number: create_document(bucket / "one", str(number).encode()), range(8)))
    assert created.count(True) == 1
    assert read_document(bucket / "one") == str(created.index(True)).encode()


def test_changes_by_several_writers_are_all_kept(location: Location) -> None:
    def add(number: int) -> None:
        update_document(location / "numbers", lambda content: (content or b"") + f"{number},".encode())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(20)))
    numbers = (read_document(location / "numbers") or b"").decode().strip(",").split(",")
    assert sorted(map(int, numbers)) == list(range(20))


def test_a_change_to_the_same_content_writes_nothing(location: Location) -> None:
    update_document(location / "one", lambda _: b"1")
    before = document_stamp(location / "one")
    assert update_document(location / "one", lambda content: content or b"") == b"1"
    assert document_stamp(location / "one") == before


def test_everything_below_a_place_has_its_size_once(location: Location) -> None:
    write_document(location / "1", b"a")
    write_document(location / "below" / "ü 2", b"bc")
    if isinstance(location, Path):
        os.link(location / "1", location / "one more name")
        (location / "link").symlink_to("nowhere")
    assert sizes_below(location) == {"1": 1, "below/ü 2": 2}
    assert sizes_below(location / "none") == {}
