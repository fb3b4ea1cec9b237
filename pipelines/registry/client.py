"""One repository of a registry, over HTTP. https://github.com/opencontainers/distribution-spec/blob/main/spec.md"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import IO, Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from components.contracts.errors import RegistryError
from pipelines.registry.docker_login import login_of

SECONDS = (5, 30)  # to connect, and to answer
INDEX, MANIFEST = "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG, LAYER = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"
API_HOSTS = {"docker.io": "registry-1.docker.io"}
REFUSALS = {
    401: "asks for credentials; `docker login` keeps them",
    403: "does not let this account do it; `docker login` with one that may",
    404: "has no such repository",
}


@dataclass(frozen=True)
class Manifest:
    """A manifest or an index, as its registry holds it."""

    content: bytes
    digest: str

    @property
    def document(self) -> dict[str, Any]:
        """Return its JSON."""
        document: dict[str, Any] = json.loads(self.content)
        return document


class BlobStream:
    """A blob as it is read; ``finish`` says whether it was what its digest names."""

    def __init__(self, name: str, raw: IO[bytes], digest: str) -> None:
        self._name, self._raw, self._digest, self._hash = name, raw, digest, hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Return the next bytes, none at the end."""
        try:
            content = self._raw.read(size)
        except HTTPError as error:
            raise RegistryError(f"{self._name}: the connection ended within a blob; try again ({error})") from error
        self._hash.update(content)
        return content

    def finish(self) -> None:
        """Read the rest.

        Raises:
            RegistryError: the content is not of the digest.
        """
        while self.read(1 << 20):
            pass
        if (found := f"sha256:{self._hash.hexdigest()}") != self._digest:
            raise RegistryError(f"{self._name}: found a blob with digest {found}, expected {self._digest}")

    def close(self) -> None:
        """Let go of the connection."""
        self._raw.close()


class Registry:
    """A repository, such as ``registry.example.org/shop/python-steps``."""

    def __init__(self, name: str, anonymous: bool = False) -> None:
        """Connect to nothing yet; ``anonymous``: without the credentials of `docker login`."""
        self.name = name
        self._host, _, self._path = name.partition("/")
        self._anonymous = anonymous
        self._session = requests.Session()
        self._authorization: str | None = None
        self._origin: str | None = None

    def status(self, reference: str) -> int:
        """Return how the registry answers for a manifest.

        Raises:
            RegistryError: it cannot be reached.
        """
        return self._send("HEAD", f"manifests/{reference}", headers=_accepted()).status_code

    def manifest(self, reference: str) -> Manifest | None:
        """Return what a digest or a tag names; None if it names nothing.

        Raises:
            RegistryError: the registry cannot be reached, refuses, or its content is not of that digest.
        """
        answer = self._send("GET", f"manifests/{reference}", headers=_accepted())
        if answer.status_code == requests.codes.not_found:
            return None
        content = self._checked(answer, f"read {reference}").content
        manifest = Manifest(content, digest_of(content))
        if reference.startswith("sha256:") and manifest.digest != reference:
            raise RegistryError(f"{self.name}: found a manifest with digest {manifest.digest}, expected {reference}")
        return manifest

    def blob(self, digest: str) -> bytes:
        """Return a small blob.

        Raises:
            RegistryError: the registry cannot be reached, does not have it, or its content is not of that digest.
        """
        content = self._checked(self._send("GET", f"blobs/{digest}"), f"read {digest}").content
        if digest_of(content) != digest:
            raise RegistryError(f"{self.name}: found a blob with digest {digest_of(content)}, expected {digest}")
        return content

    def stream(self, digest: str) -> "BlobStream":
        """Return a large blob as a stream.

        Raises:
            RegistryError: the registry cannot be reached or does not have it.
        """
        answer = self._checked(self._send("GET", f"blobs/{digest}", stream=True), f"read {digest}")
        return BlobStream(self.name, answer.raw, digest)

    def push_blob(self, content: bytes) -> str:
        """Put a blob there, unless it is there; return its digest.

        Raises:
            RegistryError: the registry cannot be reached or refuses.
        """
        digest = digest_of(content)
        if self._send("HEAD", f"blobs/{digest}").status_code != requests.codes.ok:
            begun = self._checked(self._send("POST", "blobs/uploads/"), "push")
            self._checked(self._send("PUT", begun.headers["Location"], params={"digest": digest}, data=content), "push")
        return digest

    def push_manifest(self, content: bytes, tag: str | None = None) -> str:
        """Put a manifest there, by a tag or its digest alone; return its digest.

        Raises:
            RegistryError: the registry cannot be reached or refuses.
        """
        headers = {"Content-Type": json.loads(content)["mediaType"]}
        reference = tag or digest_of(content)
        self._checked(self._send("PUT", f"manifests/{reference}", headers=headers, data=content), f"push {reference}")
        return digest_of(content)

    def _send(self, method: str, place: str, **options: Any) -> requests.Response:
        """Send a request, a second time with the credentials that the first answer asks for."""
        url = self._url(place)
        answer = self._request(method, url, **options)
        if answer.status_code == requests.codes.unauthorized:
            self._authorization = self._credentials(answer.headers.get("WWW-Authenticate", ""))
            answer = self._request(method, url, **options) if self._authorization else answer
        return answer

    def _url(self, place: str) -> str:
        """Return the URL of a place below the repository, or of one that the registry has named."""
        self._origin = self._origin or self._answering()
        if place.startswith(("http://", "https://")):
            return place
        return f"{self._origin}{place}" if place.startswith("/") else f"{self._origin}/v2/{self._path}/{place}"

    def _answering(self) -> str:
        """Return where the registry answers: by TLS, or where that is safe and there is none, in plain HTTP."""
        host = API_HOSTS.get(self._host, self._host)
        try:
            self._request("GET", f"https://{host}/v2/")
        except RegistryError as error:
            if "CERTIFICATE" in str(error.__cause__) or not may_be_plain(host, self._login() is not None):
                raise
            return f"http://{host}"
        return f"https://{host}"

    def _login(self) -> tuple[str, str] | None:
        return None if self._anonymous else login_of(self._host)

    def _request(self, method: str, url: str, headers: Mapping[str, str] | None = None, **options: Any) -> Any:
        is_own = self._origin is not None and url.startswith(f"{self._origin}/")  # and not a store behind it
        auth = self._authorize if is_own else _unchanged
        try:
            return self._session.request(method, url, headers=headers, auth=auth, timeout=SECONDS, **options)
        except requests.RequestException as error:
            raise RegistryError(
                f"{self._host}: this registry cannot be reached ({type(error).__name__}); try again, or correct its"
                " address"
            ) from error

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._authorization:
            request.headers["Authorization"] = self._authorization
        return request

    def _credentials(self, challenge: str) -> str | None:
        """Return the header that a challenge asks for; None if nobody has logged in, and no token is given to all."""
        login = self._login()
        if not challenge.lower().startswith("bearer "):
            return f"Basic {base64.b64encode(':'.join(login).encode()).decode()}" if login else None
        parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        fields = {name: parts[name] for name in ("service", "scope") if name in parts}
        realm = urlsplit(parts.get("realm", ""))
        if realm.scheme != "https" and not may_be_plain(realm.netloc, login is not None):
            raise RegistryError(f"{self._host}: asks for its password at {realm.geturl()}, expected https")
        try:
            answer = requests.get(realm.geturl(), params=fields, auth=login or _unchanged, timeout=SECONDS).json()
            return f"Bearer {answer.get('token') or answer['access_token']}"
        except (requests.RequestException, LookupError, ValueError, AttributeError):
            return None

    def _checked(self, answer: requests.Response, task: str) -> requests.Response:
        if answer.ok:
            return answer
        reason = REFUSALS.get(answer.status_code, "refuses")
        raise RegistryError(f"{self.name}: cannot {task}: the registry {reason} ({answer.status_code})")


def may_be_plain(host: str, sends_password: bool) -> bool:
    """Say whether plain HTTP will do: on this machine, or in a private network without a password."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or (address.is_private and not sends_password)


def digest_of(content: bytes) -> str:
    """Return the digest by which a registry names a content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(media_type: str, content: bytes, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return how a manifest names a blob."""
    named = {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}
    return named | ({"annotations": dict(annotations)} if annotations else {})


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add no credentials, nor those of ~/.netrc."""
    return request


def _accepted() -> dict[str, str]:
    return {"Accept": ", ".join((INDEX, MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST))}
