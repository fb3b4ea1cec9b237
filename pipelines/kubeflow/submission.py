"""Submit a compiled pipeline to Kubeflow Pipelines: upload its version if it is new, then run that."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
from kfp.client import Client

from components.contracts.errors import ConfigurationError, RankloopError
from components.home.layout import Home
from components.home.runs.kubeflow import ADDRESS_VARIABLE, SCHEDULED, run_address, run_of
from components.home.runs.records import new_run_id
from components.home.storage.locations import BucketPath, parse_location
from pipelines.compiled import compile_package, version_name
from pipelines.kubeflow.access import Access
from pipelines.kubeflow.client import (
    PASS_ONE,
    SubmissionError,
    experiment_id,
    final_state,
    open_client,
    translated_errors,
)
from pipelines.kubeflow.patience import AWAY_FOR_READERS, SECONDS, Patience, repeated
from pipelines.kubeflow.pods import failure_of
from pipelines.kubeflow.versions import Version, upload_if_new
from pipelines.runs.fingerprints import code_digest

LONGEST_WAIT = timedelta(days=2)
KINDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "NUMBER_INTEGER": ("an integer", int),
    "NUMBER_DOUBLE": ("a number", float),
    "BOOLEAN": ("true or false", lambda text: {"true": True, "false": False}[text.lower()]),
    "STRUCT": ("a JSON object", lambda text: dict(json.loads(text))),
    "LIST": ("a JSON list", lambda text: list(json.loads(text))),
}


class LeftRunError(RankloopError):
    """Waiting for a run was interrupted; the run goes on."""

    exit_code = 130  # 128 + SIGINT, as shells count


@dataclass(frozen=True)
class Submission:
    """A pipeline to submit, and the server."""

    pipeline: str
    access: Access
    parameters: dict[str, str]
    experiment: str
    wait: bool
    service_account: str | None = None  # of the run's pods; None: KFP's default
    patience: float = SECONDS  # how long KFP may be away at a time while the run is followed
    follow: str | None = None  # the id of KFP's run that was submitted before; None: submit one


@dataclass(frozen=True)
class Started:
    """A run of KFP."""

    run_id: str
    kfp_run: str
    version: str | None  # None: it was submitted before
    state: str


def submit(submission: Submission, look: Callable[[str, str], None] = lambda run_id, kfp_run: None) -> dict[str, Any]:
    """Submit a run and return its id, address and state; with ``wait``, the state it ended in, and why it failed.

    While it waits, ``look`` is called every few seconds with the run's id and that of KFP's run.

    Raises:
        ConfigurationError: a parameter is unknown, missing or of a wrong type, or a token cannot stand in a request.
        SubmissionError: KFP cannot be reached or refuses the run, or something else answers in its place.
        LeftRunError: an interrupt while it waited.
    """
    client, started = _submitted_before(submission) if submission.follow else _start(submission)
    url, reason = _address(submission.access.host, started.kfp_run), None
    outcome = asdict(started) | {"reason": reason, "url": url}
    if submission.wait:
        click.echo(f"run {started.run_id}: {place_of(started.kfp_run, url)}", err=True)
        state, reason = _end(client, submission, started.kfp_run, url, partial(look, started.run_id, started.kfp_run))
        outcome |= {"state": state, "reason": reason}
    return outcome


def _start(submission: Submission) -> tuple[Client, Started]:
    pipeline = submission.pipeline
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "pipeline.yaml"
        documents = compile_package(pipeline, package)
        ours = {"run_id": new_run_id(), "fingerprint": {"code": code_digest()}}
        parameters = ours | typed_parameters(submission.parameters, documents[0], pipeline, ours, "--param")
        with translated_errors(submission.access.host):
            client = open_client(submission.access)
            version = upload_if_new(client, package, version_name(documents), submission.access.namespace)
            run = _run(client, submission, version, parameters)
    return client, Started(parameters["run_id"], run.run_id, version.name, str(run.state or "PENDING"))


def _submitted_before(submission: Submission) -> tuple[Client, Started]:
    """Look a run up by the id of KFP's run; the home knows by it what a schedule has started."""
    assert submission.follow is not None
    with translated_errors(submission.access.host):
        client = open_client(submission.access)
        run = client.get_run(submission.follow)
    parameters = (run.runtime_config.parameters if run.runtime_config else None) or {}
    run_id, home = str(parameters.get("run_id", "")), home_of(submission)
    if run_id == SCHEDULED and home:
        with suppress(RankloopError):  # a home that cannot be read from here
            run_id = run_of(home, submission.follow) or run_id
    return client, Started(run_id, run.run_id, None, str(run.state or "PENDING"))


def home_of(submission: Submission) -> Home | None:
    """Return a home that this machine can read as the cluster does: a folder is another one there."""
    address = submission.parameters.get("home", "")
    location = parse_location(address) if address else None
    return Home(location) if isinstance(location, BucketPath) else None


def place_of(kfp_run: str, url: str | None) -> str:
    """Return where a run of KFP is seen: its address or, if that is not known, its id."""
    return url or f"run {kfp_run} of Kubeflow"


def _address(host: str | None, kfp_run: str) -> str | None:
    """Return the run's address for people: below the host or, without one, below RANKLOOP_KFP_URL."""
    address = host or os.environ.get(ADDRESS_VARIABLE)
    return run_address(address, kfp_run) if address else None


def _end(
    client: Client, submission: Submission, kfp_run: str, url: str | None, look: Callable[[], None]
) -> tuple[str, str | None]:
    """Return the state that a run ends in, and why it failed; errors and an interrupt say where it is seen."""
    place, access = place_of(kfp_run, url), submission.access
    again = f"to follow it on: rankloop submit {submission.pipeline} --follow {kfp_run}, with the options of before"
    patience = Patience(submission.patience, partial(click.echo, err=True), AWAY_FOR_READERS)
    try:
        with translated_errors(access.host):
            state = final_state(client, kfp_run, LONGEST_WAIT, patience, look=look)
            if state != "FAILED":
                return state, None
            return state, repeated(lambda: failure_of(client, kfp_run, submission.pipeline, access.namespace), patience)
    except SubmissionError as error:
        raise SubmissionError(f"{error}; what becomes of the run is seen at {place}; {again}") from error
    except KeyboardInterrupt as error:
        raise LeftRunError(f"interrupted; the run goes on at {place}; {again}") from error


def _run(client: Client, submission: Submission, version: Version, parameters: dict[str, Any]) -> Any:
    run = client.run_pipeline(
        experiment_id(client, submission.experiment, submission.access.namespace),
        f"{submission.pipeline} {parameters['run_id']}",
        params=parameters,
        pipeline_id=version.pipeline_id,
        version_id=version.version_id,
        service_account=submission.service_account,
    )
    if not run.run_id:
        raise SubmissionError(f"answered without a run, as a login page does; {PASS_ONE}")
    return run


def typed_parameters(
    given: Mapping[str, str], specification: dict[str, Any], pipeline: str, ours: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """Return the parameters that users give, as the types that a compiled pipeline declares.

    Args:
        ours: those that a run has without them; where: what names them, for the error.

    Raises:
        ConfigurationError: one is unknown, missing or of a wrong type.
    """
    declared: dict[str, dict[str, Any]] = specification["root"].get("inputDefinitions", {}).get("parameters", {})
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise ConfigurationError(
            f"{where}: {pipeline} has no parameter {', '.join(unknown)}; it has {', '.join(sorted(declared))}"
        )
    needed = {name for name, kind in declared.items() if not kind.get("isOptional")}
    missing = sorted(needed - set(given) - set(ours))
    if missing:
        raise ConfigurationError(f"{where}: {pipeline} also needs {', '.join(f'{name}=…' for name in missing)}")
    return {name: _typed(f"{where} {name}", text, declared[name]["parameterType"]) for name, text in given.items()}


def _typed(where: str, text: str, kind: str) -> Any:
    expected, read = KINDS.get(kind, ("", str))
    try:
        return read(text)
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(f"{where}: found {text!r}, expected {expected}") from error
