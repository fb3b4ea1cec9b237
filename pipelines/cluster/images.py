"""Whether a registry has an image: its HTTP API is asked for the manifest, as a node that pulls asks it."""

import re
from enum import Enum

import urllib3

SECONDS = 5
ACCEPTED = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)
ZEROS = "sha256:" + 64 * "0"
LOCAL = re.compile(r"^(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)")


class Found(Enum):
    """What a registry says of an image."""

    THERE = "is in its registry"
    ZEROS = "has not been pushed: its digest is zeros"
    MISSING = "is not in its registry"
    PRIVATE = "is in a registry that asks for credentials"
    UNREACHABLE = "is in a registry that cannot be reached from here"


def find_image(image: str) -> Found:
    """Ask the registry of ``HOST/NAME@sha256:DIGEST`` for its manifest, with the token it gives to anybody, if any."""
    name, _, digest = image.partition("@")
    if digest == ZEROS:
        return Found.ZEROS
    host, _, repository = name.partition("/")
    schemes = ("https", "http") if LOCAL.match(host) else ("https",)
    answers = (_status(f"{scheme}://{host}/v2/{repository}/manifests/{digest}") for scheme in schemes)
    status = next((status for status in answers if status is not None), None)
    if status is None:
        return Found.UNREACHABLE
    return {200: Found.THERE, 401: Found.PRIVATE, 403: Found.PRIVATE, 404: Found.MISSING}.get(status, Found.UNREACHABLE)


def _status(url: str) -> int | None:
    try:
        answer = _request(url, {})
        if answer.status == 401 and (token := _token(answer.headers.get("WWW-Authenticate", ""))):
            answer = _request(url, {"Authorization": f"Bearer {token}"})
    except (urllib3.exceptions.HTTPError, ValueError):
        return None
    return int(answer.status)


def _request(url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
    return urllib3.request("HEAD", url, headers={"Accept": ACCEPTED} | headers, timeout=SECONDS, retries=False)


def _token(challenge: str) -> str | None:
    """Fetch the token that a registry gives to anybody, as public ones do."""
    parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    if not challenge.startswith("Bearer ") or "realm" not in parts:
        return None
    fields = {name: parts[name] for name in ("service", "scope") if name in parts}
    answer = urllib3.request("GET", parts["realm"], fields=fields, timeout=SECONDS, retries=False)
    return str(answer.json().get("token") or "") or None if answer.status == 200 else None
