"""A home stands where everything in it works, or is refused."""

from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.home.layout import EXPERIMENTS_VARIABLE, SECRETS_VARIABLE, Home
from components.home.storage.locations import parse_location


@pytest.mark.parametrize("name", ["shop [a]", "a%20b", "a^b", "a\\b"])
def test_a_home_where_delta_tables_cannot_live_is_one_clear_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"found '.+' in its path, expected none of .* name another --home"):
        Home(tmp_path / name)
    with pytest.raises(ConfigurationError, match=r"found '.+' in its path, expected none of .* name another --home"):
        Home(parse_location(f"s3://bucket/{name}"))


def test_a_home_whose_other_store_cannot_be_read_has_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "online_url").symlink_to("not mounted")
    with pytest.raises(ConfigurationError, match=r"online_url: cannot be read .*a link leads nowhere"):
        _ = Home(tmp_path).online_url


def test_where_the_online_store_lies_is_what_a_file_says_else_a_folder(tmp_path: Path) -> None:
    assert Home(tmp_path).online_url == f"lmdb://{tmp_path}/online"
    (tmp_path / "online_url").write_text("redis://host:6379/0\n")
    assert Home(tmp_path).online_url == "redis://host:6379/0"


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_says_nothing_of_the_online_store_is_one_clear_error(tmp_path: Path, content: bytes | None) -> None:
    named = tmp_path / "online_url"
    named.mkdir() if content is None else named.write_bytes(content)
    with pytest.raises(
        ConfigurationError, match=r"online_url: cannot be read \(.*\); expected a line such as redis://"
    ):
        _ = Home(tmp_path).online_url


def test_configuration_and_secrets_may_be_mounted_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(parse_location("s3://bucket/home"))
    monkeypatch.setenv(EXPERIMENTS_VARIABLE, f"{tmp_path}/experiments")
    monkeypatch.setenv(SECRETS_VARIABLE, f"{tmp_path}/secrets")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "online_url").write_text("redis://host:6379/0\n")
    assert home.online_url == "redis://host:6379/0"
    assert (home.api_keys, home.experiments) == (tmp_path / "secrets" / "api_keys.json", tmp_path / "experiments")
    assert home.tombstones == home.root / "tombstones.json"
