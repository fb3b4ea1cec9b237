"""What is set wrong is one line that names it."""

from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.home.layout import Home
from components.ranking_service.settings import ServiceSettings, settings_from


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_what_is_not_set_is_as_it_usually_is(home: Home) -> None:
    assert settings_from({"RANKLOOP_HOME": str(home.root)}) == ServiceSettings(home)
    given = {"RANKLOOP_ENVIRONMENT": "blue-2_b", "RANKLOOP_STORE_DEADLINE_MS": "5", "RANKLOOP_STALE_AFTER_DAYS": ".5"}
    assert settings_from(given | {"RANKLOOP_HOME": str(home.root)}) == ServiceSettings(home, "blue-2_b", 5, 0.5)


def test_connections_wait_longer_than_balancers_keep_them(home: Home) -> None:
    assert settings_from({"RANKLOOP_HOME": str(home.root)}).keep_alive_seconds > 60
    given = {"RANKLOOP_HOME": str(home.root), "RANKLOOP_KEEP_ALIVE_SECONDS": "125"}
    assert settings_from(given).keep_alive_seconds == 125


def test_origins_are_listed_as_browsers_write_them(home: Home) -> None:
    given = " https://Shop.example, http://localhost:3000\nhttps://[::1]:8443 "
    found = settings_from({"RANKLOOP_HOME": str(home.root), "RANKLOOP_CORS_ORIGINS": given})
    assert found.origins == ("https://shop.example", "http://localhost:3000", "https://[::1]:8443")


@pytest.mark.parametrize("origin", ["*", "null", "shop.example", "https://shop.example/", "ftp://shop.example"])
def test_what_is_no_origin_is_named(home: Home, origin: str) -> None:
    with pytest.raises(ConfigurationError, match=r"RANKLOOP_CORS_ORIGINS: found .*, expected origins such as https://"):
        settings_from({"RANKLOOP_HOME": str(home.root), "RANKLOOP_CORS_ORIGINS": f"https://a.example,{origin}"})


def test_without_a_home_there_is_nothing_to_serve(home: Home) -> None:
    with pytest.raises(ConfigurationError, match="RANKLOOP_HOME is not set"):
        settings_from({"RANKLOOP_HOME": ""})
    with pytest.raises(ConfigurationError, match="no run has made a home there"):
        _ = ServiceSettings(home).shop


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "-", " ", "a b", "münchen", "x\n", "x\0"])
def test_an_environment_is_named_as_promote_names_it(home: Home, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"environment .*: expected ASCII letters, digits, - and _"):
        settings_from({"RANKLOOP_HOME": str(home.root), "RANKLOOP_ENVIRONMENT": name})
