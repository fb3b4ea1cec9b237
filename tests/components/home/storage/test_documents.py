from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.home.storage.documents import (
    create_document,
    has_document,
    list_names,
    read_document,
    remove_document,
    update_document,
    write_document,
)
from components.home.storage.locations import Location


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    return tmp_path / "home" if request.param == "folder" else request.getfixturevalue("bucket")


def test_a_document_is_written_read_listed_and_removed(place: Location) -> None:
    document = place / "runs" / "1 ü.json"
    assert (read_document(document), has_document(document), list_names(place)) == (None, False, [])
    write_document(document, b"one")
    write_document(document, b"two")
    assert (read_document(document), has_document(document)) == (b"two", True)
    assert (list_names(place), list_names(place / "runs")) == (["runs"], ["1 ü.json"])
    remove_document(document)
    remove_document(document)
    assert read_document(document) is None


def test_of_several_that_create_a_document_one_does(place: Location) -> None:
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda number: create_document(place / "one", str(number).encode()), range(8)))
    assert created.count(True) == 1
    assert read_document(place / "one") == str(created.index(True)).encode()


def test_changes_by_several_writers_are_all_kept(place: Location) -> None:
    def add(number: int) -> None:
        update_document(place / "numbers", lambda content: (content or b"") + f"{number},".encode())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(20)))
    numbers = (read_document(place / "numbers") or b"").decode().strip(",").split(",")
    assert sorted(map(int, numbers)) == list(range(20))
