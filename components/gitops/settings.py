"""Where environments live in Git, as the variables say that begin like ``RANKLOOP_GIT_URL``."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from components.contracts.errors import ConfigurationError
from components.contracts.urls import public_url

URL = "RANKLOOP_GIT_URL"
BRANCH = "RANKLOOP_GIT_BRANCH"
FORGE = "RANKLOOP_GIT_FORGE"
API_URL = "RANKLOOP_GIT_API_URL"
USER = "RANKLOOP_GIT_USER"
TOKEN_FILE = "RANKLOOP_GIT_TOKEN_FILE"
SSH_KEY_FILE = "RANKLOOP_GIT_SSH_KEY_FILE"
KNOWN_HOSTS_FILE = "RANKLOOP_GIT_KNOWN_HOSTS_FILE"
CA_FILE = "RANKLOOP_GIT_CA_FILE"
AUTHOR = "RANKLOOP_GIT_AUTHOR"
STAGING_HOURS = "RANKLOOP_GIT_STAGING_HOURS"
MERGE_REVERTS = "RANKLOOP_GIT_MERGE_REVERTS"  # these two are the reverter's
RETRY_MINUTES = "RANKLOOP_GIT_RETRY_MINUTES"

VARIABLES = (  # those that steps of runs read
    URL,
    BRANCH,
    FORGE,
    API_URL,
    USER,
    TOKEN_FILE,
    SSH_KEY_FILE,
    KNOWN_HOSTS_FILE,
    CA_FILE,
    AUTHOR,
    STAGING_HOURS,
)

HOME_ENVIRONMENT = "local"  # the one that lives in the home wherever there is a repository
FORGES = ("github", "gitlab", "gitea", "none")
KNOWN_HOSTS = {"github.com": "github", "gitlab.com": "gitlab", "codeberg.org": "gitea"}
DEFAULTS = {BRANCH: "main", USER: "x-access-token", AUTHOR: "Rankloop <rankloop@localhost>", STAGING_HOURS: "0"}
DEFAULTS |= {MERGE_REVERTS: "no", RETRY_MINUTES: "30"}
SHORT_URL = re.compile(r"(?P<user>[\w.-]+)@(?P<host>[\w.-]+):(?P<path>[^/].*)")  # git@github.com:shop/deploy.git
WRITTEN_AUTHOR = re.compile(r"[^<>\n]+ <[^<>\s]+>")


@dataclass(frozen=True)
class GitSettings:
    """The repository, its forge and its credentials."""

    url: str  # http(s)://… or ssh://…
    branch: str
    forge: str  # one of FORGES
    api_url: str | None  # None: the forge's usual one on the repository's host
    user: str
    token_file: Path | None
    ssh_key_file: Path | None
    known_hosts_file: Path | None
    ca_file: Path | None
    author: str
    staging_hours: float
    merges_reverts: bool  # without a person
    retry_minutes: float  # after which a canary that could not be judged gets another try; 0: none

    @property
    def is_ssh(self) -> bool:
        """Return whether Git speaks SSH."""
        return self.url.startswith("ssh://")

    @property
    def place(self) -> str:
        """Return the repository and the branch as people read them."""
        return f"{public_url(self.url)} ({self.branch})"

    def token(self) -> str | None:
        """Read the token; None where none is named.

        Raises:
            ConfigurationError: its file cannot be read, or holds no token.
        """
        if self.token_file is None:
            return None
        token = _read(TOKEN_FILE, self.token_file).strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigurationError(
                f"{TOKEN_FILE}: {self.token_file} holds no token; expected one line of letters and digits"
            )
        return token


def git_settings(environment: str) -> GitSettings | None:
    """Read where an environment lives; None: in the home, as ``local`` always does.

    Raises:
        ConfigurationError: a variable is wrong, or lacks another that it needs.
    """
    return None if environment == HOME_ENVIRONMENT else repository_settings(os.environ)


def repository_settings(written: Mapping[str, str]) -> GitSettings | None:
    """Read the repository of environments from variables; None: there is none.

    Raises:
        ConfigurationError: a variable is wrong, or lacks another that it needs.
    """
    if not written.get(URL, "").strip():
        return None
    values = DEFAULTS | {name: text.strip() for name, text in written.items() if text.strip()}
    url = _url(values[URL])
    settings = GitSettings(
        url=url,
        branch=values[BRANCH],
        forge=_forge(values.get(FORGE), urlsplit(url).hostname or ""),
        api_url=values.get(API_URL),
        user=values[USER],
        token_file=_file(values, TOKEN_FILE),
        ssh_key_file=_file(values, SSH_KEY_FILE),
        known_hosts_file=_file(values, KNOWN_HOSTS_FILE),
        ca_file=_file(values, CA_FILE),
        author=values[AUTHOR],
        staging_hours=_amount(values, STAGING_HOURS, "hours, such as 24, or 0 for no wait"),
        merges_reverts=_flag(values, MERGE_REVERTS),
        retry_minutes=_amount(values, RETRY_MINUTES, "minutes, such as 30, or 0 for no other try"),
    )
    _check(settings)
    return settings


def _url(written: str) -> str:
    short = SHORT_URL.fullmatch(written)
    url = f"ssh://{short['user']}@{short['host']}/{short['path']}" if short else written
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "ssh") or not parts.hostname or not parts.path.strip("/"):
        raise ConfigurationError(
            f"{URL}: found {public_url(url)}, expected https://HOST/OWNER/REPOSITORY.git or"
            " git@HOST:OWNER/REPOSITORY.git"
        )
    if parts.password or (parts.username and parts.scheme != "ssh"):
        raise ConfigurationError(
            f"{URL}: found a user or password in {public_url(url)}; put the token in a file that {TOKEN_FILE} names"
        )
    return url


def _forge(written: str | None, host: str) -> str:
    forge = written or KNOWN_HOSTS.get(host)
    if forge not in FORGES:
        raise ConfigurationError(f"{FORGE}: found {written or 'nothing'}, expected one of {', '.join(FORGES)}")
    return forge


def _file(values: Mapping[str, str], name: str) -> Path | None:
    return Path(values[name]) if name in values else None


def _amount(values: Mapping[str, str], name: str, expected: str) -> float:
    try:
        amount = float(values[name])
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise ConfigurationError(f"{name}: found {values[name]!r}, expected {expected}")
    return amount


def _flag(values: Mapping[str, str], name: str) -> bool:
    if values[name] not in ("yes", "no"):
        raise ConfigurationError(f"{name}: found {values[name]!r}, expected yes or no")
    return values[name] == "yes"


def _check(settings: GitSettings) -> None:
    if settings.is_ssh and (settings.ssh_key_file is None or settings.known_hosts_file is None):
        raise ConfigurationError(
            f"{URL}: found an SSH address, so expected {SSH_KEY_FILE} and {KNOWN_HOSTS_FILE} too;"
            f" `ssh-keyscan {urlsplit(settings.url).hostname}` prints the second"
        )
    if settings.forge != "none" and settings.token_file is None:
        raise ConfigurationError(
            f"{TOKEN_FILE}: found nothing, expected a file with a token that may open pull requests;"
            f" {FORGE}=none pushes a branch alone"
        )
    if not WRITTEN_AUTHOR.fullmatch(settings.author):
        raise ConfigurationError(f"{AUTHOR}: found {settings.author!r}, expected NAME <ADDRESS>")


def _read(variable: str, file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigurationError(f"{variable}: {file} cannot be read ({reason}); mount the secret there") from error
