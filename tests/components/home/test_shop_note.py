"""Whose home it is, and what is said when that cannot be read."""

from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.home.layout import Home
from components.home.shop_note import ShopNote, read_shop_note, write_shop_note

BROKEN = [
    b"",
    b"{",
    b"[]",
    b"{}",
    b'"small"',
    b'{"shop": "small"}',
    b'{"shop": 5, "shop_file": "small.toml"}',
    b'{"shop": "small", "shop_file": null}',
    b"\xff\x00",
    b"[" * 100_000,
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_what_was_noted_is_read(home: Home) -> None:
    note = ShopNote("small", "/shops/small.toml")
    write_shop_note(home, note)
    assert read_shop_note(home) == note


def test_a_folder_that_no_run_made_is_no_home(home: Home) -> None:
    with pytest.raises(ConfigurationError, match="no run has made a home there; `rankloop run --shop FILE --home"):
        read_shop_note(home)


@pytest.mark.parametrize("content", BROKEN)
def test_a_note_that_names_no_shop_is_reported(home: Home, content: bytes) -> None:
    home.shop_note.write_bytes(content)
    with pytest.raises(
        ConfigurationError, match=r'shop\.json: found .*, expected \{"shop": NAME, .*\}; restore it, or'
    ):
        read_shop_note(home)


def test_a_note_that_is_no_file_is_reported(home: Home) -> None:
    home.shop_note.mkdir()
    with pytest.raises(ConfigurationError, match=r"shop\.json: .*Is a directory"):
        read_shop_note(home)
