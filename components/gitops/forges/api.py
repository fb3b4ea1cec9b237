"""JSON over HTTP with a token: pages, limits of requests, and refusals in one sentence with the fix."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from dulwich.client import default_urllib3_manager
from dulwich.config import ConfigDict

from components.contracts.errors import PromotionError
from components.contracts.urls import public_url
from components.gitops.settings import API_URL, CA_FILE, FORGE, TOKEN_FILE, GitSettings

SECONDS = 30.0
PAGE = 50  # Gitea gives no more by default
MAX_PAGES = 200
TRIES = 3
MAX_WAIT = 90.0  # seconds; GitHub asks for 60 after too many changes at once
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY = 401, 403, 404, 429


class ForgeError(PromotionError):
    """A forge that cannot be reached or refuses; ``status`` is that of HTTP, 0 without an answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def is_refusal(self) -> bool:
        """Return whether the forge said that it did nothing; otherwise it may have done what it was asked."""
        return 300 <= self.status < 500


class ForgeApi:
    """The API of a forge, at ``base``, for one account."""

    def __init__(
        self,
        settings: GitSettings,
        base: str,
        headers: Mapping[str, str],
        scopes: str,
    ) -> None:
        """Connect to nothing yet; ``scopes`` are the rights that the token needs, in the forge's words."""
        self.sleep: Callable[[float], None] = time.sleep  # how to wait where the forge asks for it
        config = ConfigDict()
        if settings.ca_file is not None:
            config.set((b"http",), b"sslCAInfo", str(settings.ca_file).encode())
        self._base, self._scopes = base.rstrip("/"), scopes
        self._headers = {"Accept": "application/json", "User-Agent": "rankloop"} | dict(headers)
        self._pool: Any = default_urllib3_manager(config, base_url=base, timeout=SECONDS)

    def get(self, path: str, **query: Any) -> Any:
        """Return one document."""
        return self._call("GET", path, query)[0]

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """Send a document and return the answer's."""
        return self._call(method, path, {}, body)[0]

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages of a list."""
        for page in range(1, MAX_PAGES + 1):
            items, headers = self._call("GET", path, query | {"page": page})
            if not isinstance(items, list):
                raise self._not_understood("a list")
            yield from items
            if 'rel="next"' not in headers.get("Link", ""):
                return

    def _call(
        self, method: str, path: str, query: Mapping[str, Any], body: Mapping[str, Any] | None = None
    ) -> tuple[Any, Mapping[str, str]]:
        url = f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")
        for attempt in range(1, TRIES + 1):
            answer = self._answer(method, url, body)
            wait = _wait(answer.status, answer.headers)
            if wait is None or attempt == TRIES or wait > MAX_WAIT:
                return self._document(method, answer, wait), answer.headers
            self.sleep(wait)
        raise AssertionError("unreachable")

    def _answer(self, method: str, url: str, body: Mapping[str, Any] | None) -> Any:
        headers = self._headers | ({} if body is None else {"Content-Type": "application/json"})
        content = None if body is None else json.dumps(body).encode()
        try:
            # A request that changes something is sent once: its answer may be lost after it was done.
            return self._pool.request(method, url, headers=headers, body=content, retries=False, timeout=SECONDS)
        except urllib3.exceptions.HTTPError as error:
            raise ForgeError(f"{self._place}: {_unreachable(error)}") from error

    def _document(self, method: str, answer: Any, wait: float | None) -> Any:
        if wait is not None:
            raise ForgeError(
                f"{self._place}: takes no more requests of this account for {wait:.0f} seconds; try again then",
                answer.status,
            )
        if not 200 <= answer.status < 300:
            raise ForgeError(f"{self._place}: {self._refusal(method, answer)}", answer.status)
        try:
            return json.loads(answer.data) if answer.data else None
        except ValueError as error:
            raise self._not_understood("JSON") from error

    def _refusal(self, method: str, answer: Any) -> str:
        words = _words(answer.data)
        if answer.status == UNAUTHORIZED:
            return f"the token of {TOKEN_FILE} was refused{words}; make another, with {self._scopes}"
        if answer.status in (FORBIDDEN, NOT_FOUND):
            return (
                f"{answer.status}{words}: there is no such repository, or the token of {TOKEN_FILE} may not do this;"
                f" give it {self._scopes}"
            )
        if 300 <= answer.status < 400:
            return f"the repository has moved ({answer.status}); correct its address, or {API_URL}"
        if answer.status >= 500:
            return f"does not work now ({answer.status}{words}); try again"
        return f"refused to {'read' if method == 'GET' else 'change'} it: {answer.status}{words}"

    def _not_understood(self, expected: str) -> ForgeError:
        return ForgeError(f"{self._place}: its answer is not {expected}; correct {API_URL} or {FORGE}")

    @property
    def _place(self) -> str:
        return public_url(self._base)


def repository_path(settings: GitSettings, api: str) -> str:
    """Return OWNER/REPOSITORY as the forge names it; a forge below a folder of its host has its API there too."""
    path = urlsplit(settings.url).path.strip("/").removesuffix(".git")
    below = urlsplit(api).path.partition("/api/")[0].strip("/")
    return path.removeprefix(f"{below}/") if below and not settings.is_ssh else path


def _wait(status: int, headers: Mapping[str, str]) -> float | None:
    """Return how long a forge asks to wait; None if it does not."""
    if status not in (FORBIDDEN, TOO_MANY):
        return None
    try:
        if "Retry-After" in headers:
            return max(float(headers["Retry-After"]), 0.0)
        if headers.get("X-RateLimit-Remaining", headers.get("RateLimit-Remaining")) == "0":
            reset = headers.get("X-RateLimit-Reset", headers.get("RateLimit-Reset", "0"))
            return max(float(reset) - time.time(), 1.0)
    except ValueError:
        pass
    return 1.0 if status == TOO_MANY else None


def _unreachable(error: Exception) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return f"this machine does not trust who signed its certificate; name the authority's file by {CA_FILE}"
    return f"cannot be reached ({type(error).__name__}); try again, or correct {API_URL}"


def _words(data: bytes) -> str:
    """Return the forge's own words for a refusal, at most a line of them."""
    try:
        document = json.loads(data)
        said = [document.get("message") or document.get("error") or ""]
        said += [each.get("message", "") for each in document.get("errors") or [] if isinstance(each, dict)]
    except (ValueError, AttributeError):
        return ""
    text = "; ".join(" ".join(str(each).split()) for each in said if each)
    return f" ({text[:300]})" if text else ""
