"""``rankloop keys``: a key is shown once, its hash is kept."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.home.layout import Home
from components.home.shop_note import ShopNote, write_shop_note
from components.ranking_service.http.api_keys import hash_of, read_keys
from pipelines.api_keys import add_key, list_keys, remove_key
from tests.pipelines.homes.tiny_shop import rankloop, the_one_line

NOW = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home(tmp_path / "home")
    write_shop_note(place, ShopNote("tiny", "tiny.toml"))
    return place


def ask(home: Home, *words: str) -> "subprocess.CompletedProcess[str]":
    return rankloop("keys", *words, "--home", home.root)


def test_a_key_is_printed_once_and_only_its_hash_is_kept(home: Home) -> None:
    key = ask(home, "add", "shop-web").stdout.strip()
    assert key.startswith("rk_")
    content = home.api_keys.read_text()
    assert key not in content
    assert hash_of(key.encode()) in content
    assert home.api_keys.stat().st_mode & 0o777 == 0o600
    second = json.loads(ask(home, "add", "partner", "--json").stdout)
    assert (second["name"], second["key"] != key) == ("partner", True)
    assert [row["name"] for row in json.loads(ask(home, "list", "--json").stdout)] == ["shop-web", "partner"]
    assert "shop-web" in ask(home, "list").stdout


def test_removed_keys_leave_a_file_that_lets_nobody_in(home: Home) -> None:
    for name in ("a", "b"):
        add_key(home, name, NOW)
    assert remove_key(home, "a") == 1
    assert "refuses every caller" in ask(home, "remove", "b").stdout
    assert read_keys(home.api_keys) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["add", ""], "found no name, expected 1 to 63"),
        (["add", "two words"], "found no name, expected 1 to 63"),
        (["add", "taken"], "there is one already"),
        (["remove", "nobody"], "there is no such key; those there are: taken"),
    ],
)
def test_what_cannot_be_done_is_one_line(home: Home, words: list[str], message: str) -> None:
    add_key(home, "taken", NOW)
    assert message in the_one_line(ask(home, *words), code=2)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"keys": [{"name": "a"}]}', b"\xff\x00"])
def test_a_broken_file_is_not_overwritten(home: Home, content: bytes) -> None:
    home.api_keys.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"api_keys\.json: .*expected what `rankloop keys add` writes"):
        add_key(home, "a", NOW)
    assert home.api_keys.read_bytes() == content


def test_keys_added_at_once_are_all_there(home: Home) -> None:
    names = [f"key{number}" for number in range(12)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda name: add_key(home, name, NOW), names))
    assert {key.name for key in list_keys(home)} == set(names)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("0.0.0.0", "the home has no API keys; make the first with `rankloop keys add NAME`"),
        ("::", "the home has no API keys"),
        ("example.org", "--host: found 'example.org', expected an IP address"),
    ],
)
def test_other_machines_are_not_listened_to_without_keys(home: Home, host: str, message: str) -> None:
    assert message in the_one_line(rankloop("serve", "--host", host, "--home", home.root), code=2)
