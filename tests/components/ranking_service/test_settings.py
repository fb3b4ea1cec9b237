"""A wrong setting is one line that names its variable; the documents name every setting."""

import sys
from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.home.layout import Home
from components.ranking_service.reference import REFERENCE, settings_table
from components.ranking_service.setting import declared_settings
from components.ranking_service.settings import (
    FeedbackSettings,
    HttpSettings,
    Limits,
    LiveSettings,
    ServiceSettings,
    SigningSettings,
    settings_from,
)
from tests.components.bundles.signing.signed_bundles import key_in


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def read(home: Home, **variables: str) -> ServiceSettings:
    return settings_from({"RANKLOOP_HOME": str(home.root)} | variables)


def test_a_variable_that_is_not_set_or_empty_has_its_default(home: Home) -> None:
    assert read(home) == ServiceSettings(home)
    assert read(
        home, **{setting.variable: "" for setting in declared_settings(ServiceSettings) if setting.default is not None}
    ) == (ServiceSettings(home))


def test_keys_are_read_once_at_the_start_and_named_by_absolute_paths(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_in(tmp_path / "keys")
    monkeypatch.chdir(tmp_path)
    settings = read(home, RANKLOOP_VERIFY_KEYS="keys", RANKLOOP_SIGNATURES="required")
    assert settings.signing == SigningSettings((tmp_path / "keys",), "required")
    assert settings.variables["RANKLOOP_VERIFY_KEYS"] == str(tmp_path / "keys")
    with pytest.raises(ConfigurationError, match="found a private key, expected its public half"):
        read(home, RANKLOOP_VERIFY_KEYS="keys/key.pem")


def test_every_section_is_read_from_its_variables(home: Home) -> None:
    given = {
        "RANKLOOP_ENVIRONMENT": "blue-2_b",
        "RANKLOOP_BUNDLE": f"sha256:{'a1' * 32}",
        "RANKLOOP_STORE_DEADLINE_MS": "5",
        "RANKLOOP_STALE_AFTER_DAYS": ".5",
        "RANKLOOP_SESSION_USERS": "7",
        "RANKLOOP_SESSION_EVENTS": "8",
        "RANKLOOP_REQUESTS_PER_SECOND": "50",
        "RANKLOOP_REQUESTS_AT_ONCE": "0.2",
        "RANKLOOP_WAITING_MS": "100",
        "RANKLOOP_EVENTS_GROUP_MS": "20",
        "RANKLOOP_EVENTS_GROUP_BYTES": "9",
        "RANKLOOP_KEEP_ALIVE_SECONDS": "125",
        "RANKLOOP_DRAIN_SECONDS": "600",
        "RANKLOOP_CORS_ORIGINS": " https://Shop.example, http://localhost:3000\nhttps://[::1]:8443 ",
    }
    assert read(home, **given) == ServiceSettings(
        home,
        "blue-2_b",
        f"sha256:{'a1' * 32}",
        LiveSettings(5, 0.5, 7, 8),
        Limits(50, 1, 0.1),  # at least one request at once, else none could ever be let in
        FeedbackSettings(0.02, 9),
        HttpSettings(125, ("https://shop.example", "http://localhost:3000", "https://[::1]:8443"), 600),
    )


@pytest.mark.parametrize("digest", ["latest", "a1" * 32, "sha256:a1a1a1", f"sha256:{'A1' * 32}", f"sha256:{'a1' * 33}"])
def test_a_bundle_is_named_by_its_whole_digest(home: Home, digest: str) -> None:
    with pytest.raises(ConfigurationError, match=f"RANKLOOP_BUNDLE: found '{digest}', expected sha256: and the 64 hex"):
        read(home, RANKLOOP_BUNDLE=digest)


def test_connections_wait_longer_than_balancers_keep_them() -> None:
    assert HttpSettings().keep_alive_seconds > 60


@pytest.mark.parametrize("origin", ["*", "null", "shop.example", "https://shop.example/", "ftp://shop.example"])
def test_an_origin_that_browsers_do_not_send_is_refused(home: Home, origin: str) -> None:
    with pytest.raises(ConfigurationError, match=r"RANKLOOP_CORS_ORIGINS: found .*, expected origins such as https://"):
        read(home, RANKLOOP_CORS_ORIGINS=f"https://a.example,{origin}")


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "many"])
def test_a_limit_is_a_positive_number(home: Home, text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"RANKLOOP_WAITING_MS: found '{text}', expected a positive number"):
        read(home, RANKLOOP_WAITING_MS=text)


def test_a_count_of_users_is_whole(home: Home) -> None:
    with pytest.raises(ConfigurationError, match=r"RANKLOOP_SESSION_USERS: found '1\.5', expected a whole number"):
        read(home, RANKLOOP_SESSION_USERS="1.5")


@pytest.mark.parametrize("text", ["-1", "601", "nan", "soon"])
def test_a_drain_lasts_ten_minutes_at_most(home: Home, text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"RANKLOOP_DRAIN_SECONDS: found '{text}', expected seconds from 0 to"):
        read(home, RANKLOOP_DRAIN_SECONDS=text)


def test_a_file_of_spans_has_an_absolute_path(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read(home, RANKLOOP_TRACES="spans.jsonl").telemetry.traces == str(tmp_path / "spans.jsonl")
    assert read(home, RANKLOOP_TRACES="console").telemetry.traces == "console"


def test_a_file_of_spans_that_cannot_be_written_is_refused(home: Home, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected console, otlp or the path of a file"):
        read(home, RANKLOOP_TRACES=str(tmp_path))


def test_an_exporter_that_is_not_installed_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigurationError, match="needs the package opentelemetry-exporter-otlp-proto-http"):
        read(home, RANKLOOP_TRACES="otlp")


def test_a_home_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match="RANKLOOP_HOME is not set"):
        settings_from({"RANKLOOP_HOME": ""})


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "-", " ", "a b", "münchen", "x\n", "x\0"])
def test_an_environment_is_named_as_promote_names_it(home: Home, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"environment .*: expected ASCII letters, digits, - and _"):
        read(home, RANKLOOP_ENVIRONMENT=name)


def test_a_process_elsewhere_reads_the_same_places(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read(home, RANKLOOP_ENVIRONMENT="blue", RANKLOOP_TRACES="spans.jsonl")
    monkeypatch.chdir("/")
    assert settings_from(settings.variables) == settings


def test_the_documents_hold_the_settings_as_they_are() -> None:
    assert settings_table() in REFERENCE.read_text(), "run `python -m components.ranking_service.reference`"
