"""The credentials that `docker login` has kept: in its configuration, or with a program that keeps them."""

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from components.contracts.errors import ConfigurationError

FOLDER_VARIABLE = "DOCKER_CONFIG"
DOCKER_HUB = "https://index.docker.io/v1/"
HELPER_SECONDS = 30


def login_of(host: str) -> tuple[str, str] | None:
    """Return the user and the password for a registry; None if nobody has logged in to it.

    Raises:
        ConfigurationError: Docker's configuration cannot be read.
    """
    document = _configuration()
    for name in (host, f"https://{host}", *([DOCKER_HUB] if host == "docker.io" else [])):
        helper = document.get("credHelpers", {}).get(name) or document.get("credsStore")
        kept = document.get("auths", {}).get(name, {}).get("auth")
        if kept:
            user, _, password = base64.b64decode(kept).decode().partition(":")
            return user, password
        if helper and (login := _asked(helper, name)):
            return login
    return None


def _configuration() -> dict[str, Any]:
    file = Path(os.environ.get(FOLDER_VARIABLE) or Path.home() / ".docker") / "config.json"
    try:
        document = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file}: cannot be read ({error}); `docker login` writes it") from error
    return document if isinstance(document, dict) else {}


def _asked(helper: str, host: str) -> tuple[str, str] | None:
    """Ask the program that keeps Docker's credentials; None if it has none, or is not there."""
    try:
        asked = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=host,
            capture_output=True,
            text=True,
            timeout=HELPER_SECONDS,
            check=True,
        )
        answer = json.loads(asked.stdout)
        return answer["Username"], answer["Secret"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None
