"""The settings of the service: one frozen object, read once from environment variables at the edge of a process.

A setting is one line of a section: its variable, its default as a user would write it, how its text is read, and its
row of the table in ``docs/serving.md``, which ``python -m components.ranking_service.reference`` writes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from components.bundles.digest import is_full_digest
from components.bundles.signing.home_key import KEYS_VARIABLE
from components.bundles.signing.keys import parse_keys, read_public_keys
from components.bundles.signing.trust import SIGNATURES_VARIABLE, parse_signatures
from components.contracts.errors import ConfigurationError
from components.home.layout import NAME_ADVICE, Home, is_environment_name
from components.home.storage.locations import parse_location
from components.ranking_service.setting import (
    at_least_one,
    milliseconds,
    number_in,
    positive_number,
    read_section,
    setting,
    whole_number,
)

HOME = "RANKLOOP_HOME"
ENVIRONMENT = "RANKLOOP_ENVIRONMENT"
BUNDLE = "RANKLOOP_BUNDLE"
TRACES = "RANKLOOP_TRACES"
SESSION_USERS = "RANKLOOP_SESSION_USERS"
SESSION_EVENTS = "RANKLOOP_SESSION_EVENTS"

CONSOLE, OTLP = "console", "otlp"
OTLP_MODULE = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
MAX_DRAIN_SECONDS = 600
ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")


def _drain_seconds(variable: str, text: str) -> float:
    seconds = number_in(text)
    if not 0 <= seconds <= MAX_DRAIN_SECONDS:
        raise ConfigurationError(f"{variable}: found {text!r}, expected seconds from 0 to {MAX_DRAIN_SECONDS}")
    return seconds


def _home(_: str, text: str) -> Home:
    return Home(parse_location(text))


def _environment(_: str, text: str) -> str:
    if not is_environment_name(text):
        raise ConfigurationError(f"environment {text!r}: {NAME_ADVICE}")
    return text


def _bundle(variable: str, text: str) -> str | None:
    """Read a whole digest: the start of one may come to name another bundle."""
    if text and not is_full_digest(text):
        raise ConfigurationError(f"{variable}: found {text!r}, expected sha256: and the 64 hex digits of a bundle")
    return text or None


def _verify_keys(_: str, text: str) -> tuple[Path, ...]:
    """Read places of public keys, and the keys once: a wrong one ends the start, not a later change of bundles."""
    places = parse_keys(text)
    read_public_keys(places)
    return places


def _origins(variable: str, text: str) -> tuple[str, ...]:
    """Read origins as browsers write them."""
    origins = [origin for origin in re.split(r"[\s,]+", text) if origin]
    for origin in origins:
        if not ORIGIN.fullmatch(origin.lower()):
            raise ConfigurationError(
                f"{variable}: found {origin!r}, expected origins such as https://shop.example or http://localhost:3000,"
                " with commas between them; list every one, there is no sign for all"
            )
    return tuple(origin.lower() for origin in origins)


def _trace_target(variable: str, text: str) -> str | None:
    """Read where spans go; a file's path becomes absolute, for the service's process runs in another folder."""
    if text == OTLP and not _has_otlp():
        raise ConfigurationError(
            f"{variable}: otlp needs the package opentelemetry-exporter-otlp-proto-http, which is not installed;"
            " install it, or name console or a file"
        )
    if text in ("", CONSOLE, OTLP):
        return text or None
    try:
        path = Path(text).expanduser().absolute()
        path.open("ab").close()
    except (OSError, RuntimeError) as error:
        raise ConfigurationError(
            f"{variable}: found {text!r}, which cannot be written ({error}); expected console, otlp or the path"
            " of a file"
        ) from error
    return str(path)


def _has_otlp() -> bool:
    try:
        return find_spec(OTLP_MODULE) is not None
    except ModuleNotFoundError:
        return False


@dataclass(frozen=True)
class LiveSettings:
    """What answers come from.

    ``store_deadline_ms`` holds for a store that is a server. The age of item rows is told by the home's clock.
    """

    store_deadline_ms: float = setting(
        "RANKLOOP_STORE_DEADLINE_MS", "20", positive_number, "how long a Redis may take for a user's row"
    )
    stale_after_days: float = setting(
        "RANKLOOP_STALE_AFTER_DAYS", "8", positive_number, "age of item rows that is called stale"
    )
    session_users: int = setting(
        SESSION_USERS, "200000", whole_number, "users whose sessions are held in memory, about 1 KB each"
    )
    session_events: int = setting(
        SESSION_EVENTS,
        "1000000",
        whole_number,
        "events of the last seven days that a start reads from the journal for them",
    )


@dataclass(frozen=True)
class Limits:
    """What one caller may ask, and how long a request may wait for its turn.

    A plain list counts as one, what costs more as more. The rate lies below what one core answers, so that a caller who
    asks for all it can get leaves something; what the machine cannot answer in time is shed.
    """

    per_second: float = setting(
        "RANKLOOP_REQUESTS_PER_SECOND", "400", positive_number, "requests of one caller, counted by what they cost"
    )
    burst: float = setting(
        "RANKLOOP_REQUESTS_AT_ONCE", "2000", at_least_one, "requests of one caller at once, counted by what they cost"
    )
    waiting_seconds: float = setting(
        "RANKLOOP_WAITING_MS",
        "250",
        milliseconds,
        "longest wait for an answer's turn; what would wait longer is refused",
    )


@dataclass(frozen=True)
class FeedbackSettings:
    """How events are gathered for one object of a home in a bucket; a folder's journal writes them at once."""

    group_seconds: float = setting(
        "RANKLOOP_EVENTS_GROUP_MS",
        "40",
        milliseconds,
        "how long an event waits for others that are put into the bucket with it",
    )
    group_bytes: int = setting(
        "RANKLOOP_EVENTS_GROUP_BYTES", "1048576", whole_number, "events that are put into the bucket at once"
    )


@dataclass(frozen=True)
class HttpSettings:
    """Connections: how long they are kept, and which pages may ask."""

    keep_alive_seconds: float = setting(
        "RANKLOOP_KEEP_ALIVE_SECONDS",
        "75",  # usual load balancers keep idle connections for 60 s
        positive_number,
        "how long a connection may wait for a request",
    )
    origins: tuple[str, ...] = setting(
        "RANKLOOP_CORS_ORIGINS", "", _origins, "origins of pages that may ask, with commas between them"
    )
    drain_seconds: float = setting(
        "RANKLOOP_DRAIN_SECONDS",
        "0",
        _drain_seconds,
        "how long to go on answering after SIGTERM, while `/readyz` says 503",
    )


@dataclass(frozen=True)
class TelemetrySettings:
    """Where spans go: ``console``, ``otlp``, the absolute path of a file, or None."""

    traces: str | None = setting(
        TRACES, "", _trace_target, "where OpenTelemetry spans go: `console`, a file, or `otlp`"
    )


@dataclass(frozen=True)
class SigningSettings:
    """Which bundles are accepted: see ``components/bundles/signing/trust.py``."""

    verify_keys: tuple[Path, ...] = setting(
        KEYS_VARIABLE,
        "",
        _verify_keys,
        "public keys that bundles are verified with: folders of `*.pub`, or files, with commas between them",
    )
    signatures: str = setting(
        SIGNATURES_VARIABLE,
        "",
        parse_signatures,
        "`required` or `optional`; required by default, except for `local` without `RANKLOOP_VERIFY_KEYS`",
    )


@dataclass(frozen=True)
class ServiceSettings:
    """Which home's bundle is served, for which environment it was promoted, and how."""

    home: Home = setting(  # noqa: RUF009 - it declares a field
        HOME, None, _home, "the home that is served; `rankloop serve` sets it, `bentoml serve` needs it"
    )
    environment: str = setting(
        ENVIRONMENT, "local", _environment, "whose promoted bundle is served; `rankloop serve` sets it"
    )
    bundle: str | None = setting(
        BUNDLE, "", _bundle, "digest of the bundle to serve in place of the promoted one, as on a cluster"
    )
    live: LiveSettings = LiveSettings()
    admission: Limits = Limits()
    feedback: FeedbackSettings = FeedbackSettings()
    http: HttpSettings = HttpSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    signing: SigningSettings = SigningSettings()

    @property
    def variables(self) -> dict[str, str]:
        """The settings that name places, as environment variables for a process in another folder."""
        places = {HOME: str(self.home.root), ENVIRONMENT: self.environment}
        if self.telemetry.traces:
            places[TRACES] = self.telemetry.traces
        if self.signing.verify_keys:
            places[KEYS_VARIABLE] = ",".join(map(str, self.signing.verify_keys))
        return places


def settings_from(variables: Mapping[str, str]) -> ServiceSettings:
    """Read all settings.

    Raises:
        ConfigurationError: no home is named, or a variable's text is none of those expected.
    """
    return read_section(ServiceSettings, variables)
