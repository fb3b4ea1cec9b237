"""Who may ask: the keys file as it is now, and headers of any kind."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException

from components.contracts.errors import ConfigurationError
from components.home.storage.documents import remove_document, write_document
from components.home.storage.locations import BucketPath, Location
from components.ranking_service.http.access import Access
from components.ranking_service.http.api_keys import ApiKey, hash_of, update_keys

KEY, OTHER = b"rk_the_first", b"rk_the_second"


def keep(location: Location, **keys: bytes) -> None:
    update_keys(location, lambda _: [ApiKey(name, hash_of(key), "2026-01-01") for name, key in keys.items()])


def caller(access: Access, headers: list[tuple[bytes, bytes]]) -> str | None:
    """Return who asks, by the keys as they are now."""
    access.follow()
    return access.caller(headers)


def bearer(key: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"shop"), (b"authorization", b"Bearer " + key)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api_keys.json"


def test_without_a_file_all_is_open(path: Path) -> None:
    assert Access(path).caller([]) is None


def test_a_key_tells_who_asks(path: Path) -> None:
    keep(path, web=KEY, partner=OTHER)
    access = Access(path)
    assert access.caller(bearer(OTHER)) == "partner"
    assert access.caller([(b"authorization", b"bearer   " + KEY + b" ")]) == "web"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        bearer(b"rk_unheard_of"),
        bearer(b""),
        bearer(KEY) + bearer(KEY),
        [(b"authorization", b"Basic " + KEY)],
        [(b"authorization", b"Bearer" + KEY)],
        [(b"authorization", KEY)],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer \xff\xfe\x00")],
        [(b"authorization", b"Bearer " + b"x" * 60_000)],
        [(b"x-api-key", KEY)],
    ],
)
def test_whatever_is_no_key_is_refused(path: Path, headers: list[tuple[bytes, bytes]]) -> None:
    keep(path, web=KEY)
    with pytest.raises(HTTPException) as refused:
        Access(path).caller(headers)
    assert refused.value.status_code == 401
    assert refused.value.headers == {"WWW-Authenticate": 'Bearer realm="rankloop"'}
    assert "rankloop keys add" in refused.value.detail


def test_changed_keys_are_followed(location: Location) -> None:
    keys = location / "api_keys.json"
    access = Access(keys)
    assert caller(access, []) is None
    keep(keys, web=KEY)
    assert refusal(access, []) == 401
    keep(keys, web=OTHER)
    assert caller(access, bearer(OTHER)) == "web"
    assert refusal(access, bearer(KEY)) == 401


def test_broken_or_lost_keys_stay_good(location: Location, caplog: pytest.LogCaptureFixture) -> None:
    keys = location / "api_keys.json"
    keep(keys, web=KEY)
    access = Access(keys)
    with caplog.at_level(logging.ERROR):
        write_document(keys, b'{"keys":')
        assert caller(access, bearer(KEY)) == "web"
        assert caller(access, bearer(KEY)) == "web"
        remove_document(keys)
        assert caller(access, bearer(KEY)) == "web"
        assert refusal(access, []) == 401
    assert len(caplog.messages) == 2, "each complaint once"
    keep(keys, web=OTHER)
    assert caller(access, bearer(OTHER)) == "web"


def test_an_older_file_that_takes_the_place_of_another_is_read(path: Path) -> None:
    keep(path, web=KEY)
    access = Access(path)
    keep(path, web=OTHER)
    os.utime(path, ns=(0, 0))  # a clock of coarse ticks may have given the first file's time
    assert caller(access, bearer(OTHER)) == "web"


def test_a_file_that_is_broken_from_the_start_lets_nobody_in(path: Path) -> None:
    path.write_text("nonsense")
    access = Access(path)
    assert refusal(access, bearer(KEY)) == 503
    path.unlink()
    assert refusal(access, []) == 401, "somebody meant to ask for keys"


def test_a_bucket_that_cannot_be_used_says_nothing_of_keys(
    bucket: BucketPath, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    access, closed = Access(bucket / "open.json"), Access(bucket / "api_keys.json")
    keep(bucket / "api_keys.json", web=KEY)
    assert caller(closed, bearer(KEY)) == "web"
    with monkeypatch.context() as wrong:
        wrong.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        assert refusal(access, []) == refusal(access, []) == 503
        assert refusal(closed, bearer(OTHER)) == 503, "it may be new"
        assert caller(closed, bearer(KEY)) == "web"
    assert caplog.text.count("until then the keys known before stay good") == 2, "said once each"
    assert caller(access, []) is None
    assert refusal(closed, bearer(OTHER)) == 401


def in_the_way(path: Path) -> None:
    path.mkdir()


def not_mounted(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere" / path.name)


def test_keys_of_a_mounted_secret_are_followed_when_kubelet_exchanges_its_folder(tmp_path: Path) -> None:
    for version, key in (("..1", KEY), ("..2", OTHER)):
        (tmp_path / version).mkdir()
        keep(tmp_path / version / "api_keys.json", web=key)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "api_keys.json").symlink_to("..data/api_keys.json")
    access = Access(tmp_path / "api_keys.json")
    assert caller(access, bearer(KEY)) == "web"
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    assert caller(access, bearer(OTHER)) == "web"
    with pytest.raises(HTTPException):
        access.caller(bearer(KEY))


def test_keys_that_cannot_be_written_are_one_clear_error() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be written .* make its folder writable, or change the keys"):
        keep(Path("/proc/api_keys.json"), web=KEY)


@pytest.mark.parametrize("hide", [in_the_way, not_mounted])
def test_a_file_that_cannot_be_read_says_nothing_of_keys(
    path: Path, caplog: pytest.LogCaptureFixture, hide: Callable[[Path], None]
) -> None:
    access = Access(path)
    hide(path)
    with pytest.raises(HTTPException) as refused:
        caller(access, bearer(KEY))
    assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "1"})
    assert refusal(access, []) == 503
    assert caplog.text.count("until then the keys known before stay good") == 1, "said once"
    path.rmdir() if hide is in_the_way else path.unlink()
    assert caller(access, []) is None
    hide(path)
    assert refusal(access, []) == 503
    assert caplog.text.count("until then the keys known before stay good") == 2, "it is another time"


def test_a_file_that_cannot_be_read_keeps_the_keys_that_were_good(path: Path) -> None:
    keep(path, web=KEY)
    access = Access(path)
    assert caller(access, bearer(KEY)) == "web"
    path.unlink()
    in_the_way(path)
    assert caller(access, bearer(KEY)) == "web"
    assert refusal(access, bearer(OTHER)) == 503, "it may be new"
    assert refusal(access, []) == 401
    path.rmdir()
    keep(path, web=OTHER)
    assert caller(access, bearer(OTHER)) == "web"
    assert refusal(access, bearer(KEY)) == 401


def refusal(access: Access, headers: list[tuple[bytes, bytes]]) -> int:
    """The status by which a caller is refused."""
    with pytest.raises(HTTPException) as refused:
        caller(access, headers)
    return refused.value.status_code
