"""Kubeflow Pipelines through its own client, whose answers are checked.

A login page, a proxy's page and an empty answer have status 200 too; the client takes each for a run without an id.
"""

import json
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from io import StringIO
from typing import Any

import urllib3
from kfp.client import Client
from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials
from kfp_server_api.exceptions import ApiException

from components.contracts.errors import ConfigurationError, RankloopError
from components.contracts.urls import public_host
from pipelines.kubeflow.access import Access
from pipelines.kubeflow.patience import LOST, Patience

REQUEST_SECONDS = 60  # without a byte; a connection that is open on this side alone says nothing for ever
LOOK_SECONDS = 10  # for the first answer; a host that takes longer is not waited for
POLL_SECONDS = 5
PAGE = 100
FORBIDDEN, NOT_FOUND, CONFLICT = 403, 404, 409
OLDEST = (2, 17)
MOST_LETTERS = 400  # of KFP's own words, which name each function that an error has passed
ENDED = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")
LOGIN_WORDS = ("log in", "login", "sign in", "signin", "password", "/dex/", "oauth2")
PASS_ONE = "pass a token (--token-file, or the variable RANKLOOP_KFP_TOKEN) or a cookie (RANKLOOP_KFP_COOKIE)"


class SubmissionError(RankloopError):
    """Kubeflow Pipelines cannot be reached, or would not take the run."""


class NoStateError(SubmissionError):
    """What answers in place of Kubeflow Pipelines says nothing of a run."""


class LookingClient(Client):
    """KFP's client, with one short look at the API server in place of five long ones, and an end to every request."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        pool = self._run_api.api_client.rest_client.pool_manager  # that of all its APIs
        request = pool.request
        pool.request = lambda *words, timeout=None, **named: request(
            *words, timeout=timeout or REQUEST_SECONDS, **named
        )

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
        """Return KFP's health.

        Raises:
            SubmissionError: what answers is not Kubeflow Pipelines.
        """
        answer = self._healthz_api.healthz_service_get_healthz(_preload_content=False, _request_timeout=LOOK_SECONDS)
        check_page(answer.data, str(answer.geturl() or ""))
        check_version(str(json.loads(answer.data).get("tag_name", "")))
        return self._healthz_api.healthz_service_get_healthz(_request_timeout=LOOK_SECONDS)

    def set_user_namespace(self, namespace: str) -> None:
        """Take a namespace for this client alone; KFP's would write a file, which a pod's root does not allow."""
        self._context_setting["namespace"] = namespace


def open_client(access: Access) -> Client:
    """Open KFP's client, and look once whether it is Kubeflow Pipelines that answers.

    Raises:
        ConfigurationError: a token or cookie cannot stand in a request.
        SubmissionError: another page, or a refusal.
    """
    _check_secret("token", access.token)
    _check_secret("cookie", access.cookie)
    client = LookingClient(
        host=None if access.host is None else access.host.partition("#")[0],  # as copied from the browser
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


def check_version(tag: str) -> None:
    """Refuse a server that is too old; one that was built from source says no version.

    Raises:
        SubmissionError: what it is, and what is needed.
    """
    version = re.match(r"v?(\d+)\.(\d+)", tag)
    if version and (int(version[1]), int(version[2])) < OLDEST:
        raise SubmissionError(f"is Kubeflow Pipelines {tag}, expected {OLDEST[0]}.{OLDEST[1]} or newer; upgrade it")


def pages(listed: Callable[..., Any], **arguments: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each page of a list, and the headers it came with.

    ``listed`` is a method of the generated client whose name ends with ``_with_http_info``.
    """
    token = ""
    while True:
        answer, _, headers = listed(page_size=PAGE, page_token=token, **arguments)
        yield answer, headers
        if not (token := answer.next_page_token):
            return


def in_namespace(namespace: str | None) -> dict[str, str]:
    """Return the argument that names a namespace; a KFP without users takes none."""
    return {"namespace": namespace} if namespace else {}


@contextmanager
def ignoring(status: int) -> Iterator[None]:
    """Take a refusal as done: CONFLICT if another client was faster with the same call, NOT_FOUND if it is gone."""
    try:
        yield
    except ApiException as error:
        if error.status != status:
            raise


def experiment_id(client: Client, name: str, namespace: str | None) -> str:
    """Return the id of an experiment, which is created if there is none; two clients at once get the same."""
    with ignoring(CONFLICT):
        return str(client.create_experiment(name, namespace=namespace).experiment_id)
    return str(client.create_experiment(name, namespace=namespace).experiment_id)


def final_state(
    client: Client,
    run_id: str,
    wait: timedelta,
    patience: Patience,
    poll_seconds: float = POLL_SECONDS,
    look: Callable[[], None] = lambda: None,
) -> str:
    """Return the state that a run ends in. ``look`` is called between answers, also while KFP is away.

    Raises:
        SubmissionError: KFP refuses to answer, or the run takes longer than ``wait``.
        ApiException, HTTPError, OSError: KFP is away for too long.
    """
    end = time.monotonic() + wait.total_seconds()
    while time.monotonic() < end:
        try:
            state = _state(client, run_id)
        except (*LOST, NoStateError) as error:
            patience.bear(error)
        else:
            patience.answered()
            if state in ENDED:
                return state
        look()
        time.sleep(poll_seconds)
    raise SubmissionError(f"run {run_id} has not ended within {wait}")


def _state(client: Client, run_id: str) -> str:
    try:
        state = client.get_run(run_id).state
    except ApiException as error:
        if error.status == NOT_FOUND:
            raise SubmissionError(f"has no run {run_id}: it was deleted, or never there") from error
        raise
    if not state:
        raise NoStateError(f"answers, but not with the state of run {run_id}, as a login page does; {PASS_ONE}")
    return str(state).upper()


@contextmanager
def translated_errors(host: str | None) -> Iterator[None]:
    """Drop what the client prints, such as links, and keep its exceptions to one line that names the host."""
    place = f"KFP at {public_host(host) if host else 'the cluster'}"
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except SubmissionError as error:
            raise SubmissionError(f"{place}: {error}") from error
        except ApiException as error:
            raise SubmissionError(f"{place} refused the request: {_refusal(error)}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise SubmissionError(f"{place}: {_unreachable(error)}") from error


def _unreachable(error: Exception) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "this machine does not trust who signed its certificate; name the authority's file by --ca-file"
    return f"cannot be reached ({type(error).__name__}); name it by --host"


def _refusal(error: ApiException) -> str:
    said = f"{error.status or 'no'} {' '.join(str(error.reason).split())}"
    if error.status == 401:
        return f"{said}; a token may have expired: {PASS_ONE}"
    if error.status == 403:
        return f"{said}; the account may not do this: name your --namespace, or {PASS_ONE}"
    if error.status == NOT_FOUND and not _message(error.body):
        return f"{said}; correct --host, which ends before /apis, such as https://kubeflow.example.org/pipeline"
    return said + _message(error.body)


def _message(body: str | bytes | None) -> str:
    """KFP's own words for a refusal, at most a line of them."""
    try:
        document = json.loads(body or "{}")
        message = document.get("message") or _upload_message(document)
    except (ValueError, AttributeError):
        return ""
    return f": {' '.join(str(message).split())[:MOST_LETTERS]}" if message else ""


def _upload_message(document: dict[str, Any]) -> str:
    """Return why an upload was refused: its details without the names of functions and files."""
    lines = str(document.get("error_details") or "").splitlines()
    said = [line for line in lines if " " in line.strip() and not line.startswith("\t")]
    return ": ".join(dict.fromkeys(said)) or str(document.get("error_message") or "")


def _check_secret(kind: str, value: str | None) -> None:
    if value is not None and not (value.isascii() and value.isprintable()):
        raise ConfigurationError(
            f"the {kind} for Kubeflow Pipelines holds a line break or a letter that no HTTP header may; "
            "copy it again, without what stands around it"
        )
