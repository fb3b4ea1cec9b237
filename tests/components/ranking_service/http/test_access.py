"""Who may ask: the keys file as it is now, and headers of any kind."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException

from components.ranking_service.http.access import LOOK_SECONDS, Access
from components.ranking_service.http.api_keys import ApiKey, hash_of, write_keys

KEY, OTHER = b"rk_the_first", b"rk_the_second"


def keep(path: Path, **keys: bytes) -> None:
    write_keys(path, [ApiKey(name, hash_of(key), "2026-01-01") for name, key in keys.items()])


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


def test_a_changed_file_is_followed(path: Path) -> None:
    access = Access(path)
    assert access.caller([], now=0.0) is None
    keep(path, web=KEY)
    with pytest.raises(HTTPException):
        access.caller([], now=LOOK_SECONDS)
    keep(path, web=OTHER)
    assert access.caller(bearer(OTHER), now=2 * LOOK_SECONDS) == "web"
    with pytest.raises(HTTPException):
        access.caller(bearer(KEY), now=2 * LOOK_SECONDS)


def test_a_broken_or_lost_file_keeps_the_keys_that_were_good(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(path, web=KEY)
    access = Access(path)
    assert access.caller(bearer(KEY), now=0.0) == "web"
    with caplog.at_level(logging.ERROR):
        path.write_text('{"keys":')
        assert access.caller(bearer(KEY), now=1.0) == "web"
        assert access.caller(bearer(KEY), now=2.0) == "web"
        path.unlink()
        assert access.caller(bearer(KEY), now=3.0) == "web"
        with pytest.raises(HTTPException):
            access.caller([], now=4.0)
    assert len(caplog.messages) == 2, "each complaint once"
    keep(path, web=OTHER)
    os.utime(path, ns=(0, 0))  # a clock of coarse ticks may have given the first file's time
    assert access.caller(bearer(OTHER), now=5.0) == "web"


def test_a_file_that_is_broken_from_the_start_lets_nobody_in(path: Path) -> None:
    path.write_text("nonsense")
    access = Access(path)
    assert refusal(access, bearer(KEY), now=0.0) == 503
    path.unlink()
    assert refusal(access, [], now=1.0) == 401, "somebody meant to ask for keys"


def in_the_way(path: Path) -> None:
    path.mkdir()


def not_mounted(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere" / path.name)


@pytest.mark.parametrize("hide", [in_the_way, not_mounted])
def test_a_file_that_cannot_be_read_says_nothing_of_keys(
    path: Path, caplog: pytest.LogCaptureFixture, hide: Callable[[Path], None]
) -> None:
    access = Access(path)
    assert access.caller([], now=0.0) is None
    hide(path)
    with pytest.raises(HTTPException) as refused:
        access.caller(bearer(KEY), now=1.0)
    assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "1"})
    assert refusal(access, [], now=2.0) == 503
    assert caplog.text.count("until then the keys known before stay good") == 1, "said once"
    path.rmdir() if hide is in_the_way else path.unlink()
    assert access.caller([], now=3.0) is None
    hide(path)
    assert refusal(access, [], now=4.0) == 503
    assert caplog.text.count("until then the keys known before stay good") == 2, "it is another time"


def test_a_file_that_cannot_be_read_keeps_the_keys_that_were_good(path: Path) -> None:
    keep(path, web=KEY)
    access = Access(path)
    assert access.caller(bearer(KEY), now=0.0) == "web"
    path.unlink()
    in_the_way(path)
    assert access.caller(bearer(KEY), now=1.0) == "web"
    assert refusal(access, bearer(OTHER), now=1.0) == 503, "it may be new"
    assert refusal(access, [], now=1.0) == 401
    path.rmdir()
    keep(path, web=OTHER)
    assert access.caller(bearer(OTHER), now=2.0) == "web"
    assert refusal(access, bearer(KEY), now=2.0) == 401


def refusal(access: Access, headers: list[tuple[bytes, bytes]], now: float) -> int:
    """The status by which a caller is refused."""
    with pytest.raises(HTTPException) as refused:
        access.caller(headers, now)
    return refused.value.status_code
