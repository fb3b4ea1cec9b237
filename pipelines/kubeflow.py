"""Kubeflow Pipelines through its own client, whose answers are checked.

A login page, a proxy's page and an empty answer have status 200 too; the client takes each for a run without an id.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import urllib3
from kfp.client import Client
from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials
from kfp_server_api.exceptions import ApiException

from components.contracts.errors import ConfigurationError, RankloopError
from components.contracts.urls import public_url

LOOK_SECONDS = 10  # for the first answer; a host that takes longer is not waited for
POLL_SECONDS = 5
LOST_ANSWERS = 12  # in a row, while a run is waited for: a minute of an API server that restarts
ENDED = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")
LOGIN_WORDS = ("log in", "login", "sign in", "signin", "password", "/dex/", "oauth2")
PASS_ONE = "pass a token (--token-file, or the variable RANKLOOP_KFP_TOKEN) or a cookie (RANKLOOP_KFP_COOKIE)"


class SubmissionError(RankloopError):
    """Kubeflow Pipelines cannot be reached, or would not take the run."""


@dataclass(frozen=True)
class Access:
    """The address of Kubeflow Pipelines, and the credentials; None leaves both to the client, as in a pod."""

    host: str | None = None
    namespace: str | None = None
    token: str | None = None
    token_file: Path | None = None  # read again as it is renewed
    cookie: str | None = None
    ca_file: Path | None = None


class LookingClient(Client):
    """KFP's client, with one short look at the API server in place of five long ones."""

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
        """Return KFP's health.

        Raises:
            SubmissionError: what answers is not Kubeflow Pipelines.
        """
        answer = self._healthz_api.healthz_service_get_healthz(_preload_content=False, _request_timeout=LOOK_SECONDS)
        check_page(answer.data, str(answer.geturl() or ""))
        return self._healthz_api.healthz_service_get_healthz(_request_timeout=LOOK_SECONDS)


def open_client(access: Access) -> Client:
    """Open KFP's client, and look once whether it is Kubeflow Pipelines that answers.

    Raises:
        ConfigurationError: a token or cookie cannot stand in a request.
        SubmissionError: another page, or a refusal.
    """
    _check_secret("token", access.token)
    _check_secret("cookie", access.cookie)
    client = LookingClient(
        host=access.host,
        namespace=access.namespace or "kubeflow",
        existing_token=access.token,
        credentials=None if access.token_file is None else ServiceAccountTokenVolumeCredentials(str(access.token_file)),
        cookies=access.cookie,
        ssl_ca_cert=None if access.ca_file is None else str(access.ca_file),
    )
    client.get_kfp_healthz()
    return client


def check_page(body: bytes, url: str) -> None:
    """Refuse an answer that is not a JSON object; ``url`` is where it came from after redirects.

    Raises:
        SubmissionError: with what was found instead.
    """
    try:
        if isinstance(json.loads(body), dict):
            return
    except ValueError:
        pass
    text = body[:100_000].decode(errors="replace")
    if any(words in (text + url).lower() for words in LOGIN_WORDS):
        raise SubmissionError(f"asks for a login; {PASS_ONE}")
    raise SubmissionError(
        f"found a page that is not Kubeflow Pipelines' ({' '.join(text.split())[:60]!r}), expected its API; "
        "correct --host, which ends before /apis, such as https://kubeflow.example.org/pipeline"
    )


def final_state(
    client: Client,
    run_id: str,
    wait: timedelta,
    poll_seconds: float = POLL_SECONDS,
    look: Callable[[], None] = lambda: None,
) -> str:
    """Return the state that a run ends in; a minute without answers is borne. ``look`` is called between two answers.

    Raises:
        SubmissionError: KFP answers no more, or refuses to, or the run takes longer than ``wait``.
    """
    end, lost = time.monotonic() + wait.total_seconds(), 0
    while time.monotonic() < end:
        try:
            state = str(client.get_run(run_id).state or "").upper()
            lost = 0 if state else lost + 1
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            state, lost = "", lost + 1
            if lost > LOST_ANSWERS or getattr(error, "status", None) in (401, 403, 404):
                raise
        if state in ENDED:
            return state
        if lost > LOST_ANSWERS:
            raise SubmissionError(f"says no more how run {run_id} goes; {PASS_ONE}")
        look()
        time.sleep(poll_seconds)
    raise SubmissionError(f"run {run_id} has not ended within {wait}; it goes on")


@contextmanager
def translated_errors(host: str | None) -> Iterator[None]:
    """Keep the client's own prints off standard output, and its exceptions to one line that names the host."""
    place = f"KFP at {shown_host(host) if host else 'the cluster'}"
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except SubmissionError as error:
            raise SubmissionError(f"{place}: {error}") from error
        except ApiException as error:
            raise SubmissionError(f"{place} refused the request: {_refusal(error)}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise SubmissionError(f"{place}: cannot be reached ({type(error).__name__}); name it by --host") from error


def shown_host(host: str) -> str:
    """Return a host as messages and links show it: without user and password."""
    return public_url(host) if "://" in host else host.rpartition("@")[2]


def _refusal(error: ApiException) -> str:
    said = f"{error.status or 'no'} {' '.join(str(error.reason).split())}"
    if error.status == 401:
        return f"{said}; {PASS_ONE}"
    if error.status == 403:
        return f"{said}; the account may not do this: name your --namespace, or {PASS_ONE}"
    if error.status == 404:
        return f"{said}; correct --host, which ends before /apis, such as https://kubeflow.example.org/pipeline"
    return said + _message(error.body)


def _message(body: str | bytes | None) -> str:
    """KFP's own words for a refusal, at most a line of them."""
    try:
        message = json.loads(body or "{}").get("message", "")
    except (ValueError, AttributeError):
        return ""
    return f": {' '.join(str(message).split())[:300]}" if message else ""


def _check_secret(kind: str, value: str | None) -> None:
    if value is not None and not (value.isascii() and value.isprintable()):
        raise ConfigurationError(
            f"the {kind} for Kubeflow Pipelines holds a line break or a letter that no HTTP header may; "
            "copy it again, without what stands around it"
        )
