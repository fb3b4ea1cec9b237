"""What is set wrong is one line that names it."""

from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.contracts.home import Home
from components.ranking_service.settings import ServiceSettings, settings_from


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_what_is_not_set_is_as_it_usually_is(home: Home) -> None:
    assert settings_from({"RANKLOOP_HOME": str(home.root)}) == ServiceSettings(home)
    given = {"RANKLOOP_ENVIRONMENT": "blue-2_b", "RANKLOOP_STORE_DEADLINE_MS": "5", "RANKLOOP_STALE_AFTER_DAYS": ".5"}
    assert settings_from(given | {"RANKLOOP_HOME": str(home.root)}) == ServiceSettings(home, "blue-2_b", 5, 0.5)


def test_without_a_home_there_is_nothing_to_serve(home: Home) -> None:
    with pytest.raises(ConfigurationError, match="RANKLOOP_HOME is not set"):
        settings_from({"RANKLOOP_HOME": ""})
    with pytest.raises(ConfigurationError, match="no run has made a home there"):
        _ = ServiceSettings(home).shop


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "-", " ", "a b", "münchen", "x\n", "x\0"])
def test_an_environment_is_named_as_promote_names_it(home: Home, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"environment .*: expected ASCII letters, digits, - and _"):
        settings_from({"RANKLOOP_HOME": str(home.root), "RANKLOOP_ENVIRONMENT": name})
