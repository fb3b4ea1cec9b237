"""URLs with secrets: read whole, shown without them."""

from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError, StoreError
from components.contracts.urls import fill_variables, is_ambiguous, public_host, public_url, without_users
from components.home.layout import read_url
from feature_repo.packed_online_store.backends.opening import open_backend

HOST = "redis://127.0.0.1:6379/0"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (HOST, HOST),
        ("redis://:Pass77@127.0.0.1:6379/0", HOST),
        ("redis://user:Pass77@127.0.0.1:6379/0", HOST),
        ("redis://:a@b:/#%41w@127.0.0.1:6379/0", HOST),
        ("redis://:two words@127.0.0.1:6379/0", HOST),
        ("redis://127.0.0.1:6379?db=0&password=Pass77", "redis://127.0.0.1:6379?db=0"),
        ("postgresql+psycopg://u:Pass77@host/shop?sslpassword=Pass77", "postgresql+psycopg://host/shop"),
        ("lmdb:///home/a@b/online?map_size=1", "lmdb:///home/a@b/online?map_size=1"),
        ("Pass77", "(a URL that is not understood)"),
    ],
)
def test_a_url_is_shown_without_secrets(url: str, shown: str) -> None:
    assert public_url(url) == shown


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("https://me:sesame@kf.example.org/pipeline/#/runs", "https://kf.example.org/pipeline/"),
        ("me:sesame@kf:8888/#/runs", "kf:8888/"),
        ("kf:8888", "kf:8888"),
    ],
)
def test_a_host_is_shown_without_user_and_fragment(host: str, shown: str) -> None:
    assert public_host(host) == shown


def test_messages_lose_the_users_of_urls() -> None:
    message = "at redis://:Pass77@host:1/0 or lmdb:///home/a@b: refused, said x@y"
    assert without_users(message) == "at redis://host:1/0 or lmdb:///home/a@b: refused, said x@y"


@pytest.mark.parametrize("password", ["a#b", "a/b", "a?b", "a[b"])
def test_a_password_that_would_lead_elsewhere_is_refused_and_not_repeated(password: str) -> None:
    url = f"redis://:{password}@127.0.0.1:6379/0"
    assert is_ambiguous(url)
    with pytest.raises(StoreError, match="%23") as refused:
        open_backend(url)
    assert password not in str(refused.value)


def test_a_port_that_is_none_is_not_repeated_with_its_password() -> None:
    with pytest.raises(StoreError, match="cannot be understood") as refused:
        open_backend("redis://:Pass77@host:port/0")
    assert "Pass77" not in str(refused.value)


def test_variables_fill_a_url_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_PASSWORD", "Pass77")
    file = tmp_path / "online_url"
    file.write_text("\ufeffredis://:${STORE_PASSWORD}@host:6379/0\r\n")
    assert read_url(file) == "redis://:Pass77@host:6379/0"
    monkeypatch.delenv("STORE_PASSWORD")
    with pytest.raises(ConfigurationError, match=r"found \$\{STORE_PASSWORD\}, but that environment variable is not"):
        read_url(file)
    with pytest.raises(ConfigurationError, match=r"source\.url"):
        fill_variables("events: `source.url`", "${STORE_PASSWORD}")


def test_a_file_without_a_url_is_refused(tmp_path: Path) -> None:
    (tmp_path / "online_url").write_text("\n")
    with pytest.raises(ConfigurationError, match="found no URL in it"):
        read_url(tmp_path / "online_url")
