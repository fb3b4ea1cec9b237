"""Submit a compiled pipeline to Kubeflow Pipelines."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from kfp.client import Client
from kfp.client.client import RunPipelineResult

from components.contracts.errors import ConfigurationError
from components.home.runs.records import new_run_id
from pipelines.compiled import compile_package
from pipelines.kubeflow import (
    PASS_ONE,
    Access,
    SubmissionError,
    final_state,
    open_client,
    shown_host,
    translated_errors,
)
from pipelines.runs.fingerprints import code_digest

LONGEST_WAIT = timedelta(days=2)


@dataclass(frozen=True)
class Submission:
    """A pipeline to submit, and the server."""

    pipeline: str
    access: Access
    parameters: dict[str, str]
    experiment: str
    wait: bool


def submit(submission: Submission, look: Callable[[str], None] = lambda run_id: None) -> dict[str, Any]:
    """Submit a run and return its id, address and state; with ``wait``, the state it ended in.

    While it waits, ``look`` is called with the run's id every few seconds.

    Raises:
        ConfigurationError: a parameter is unknown or missing, or a token cannot stand in a request.
        SubmissionError: KFP cannot be reached or refuses the run, or something else answers in its place.
    """
    host = submission.access.host
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipeline.yaml"
        specification = compile_package(submission.pipeline, file)[0]
        parameters: dict[str, Any] = {
            "run_id": new_run_id(),
            "fingerprint": {"code": code_digest()},
        } | submission.parameters
        run_id = parameters["run_id"]
        _check(parameters, specification, submission.pipeline)
        with translated_errors(host):
            client = open_client(submission.access)
            result = _create(client, submission, file, run_id, parameters)
            state = str(result.run_info.state or "PENDING")
            if submission.wait:
                state = final_state(client, result.run_id, LONGEST_WAIT, look=partial(look, run_id))
    return {
        "run_id": run_id,
        "kfp_run": result.run_id,
        "state": state,
        "url": f"{shown_host(host or '').rstrip('/')}/#/runs/details/{result.run_id}",
    }


def _create(
    client: Client, submission: Submission, file: Path, run_id: str, parameters: dict[str, Any]
) -> RunPipelineResult:
    result = client.create_run_from_pipeline_package(
        str(file),
        arguments=parameters,
        run_name=f"{submission.pipeline} {run_id}",
        experiment_name=submission.experiment,
        namespace=submission.access.namespace,
    )
    if not result.run_id:
        raise SubmissionError(f"answered without a run, as a login page does; {PASS_ONE}")
    return result


def _check(parameters: dict[str, Any], specification: dict[str, Any], pipeline: str) -> None:
    declared: dict[str, dict[str, Any]] = specification["root"].get("inputDefinitions", {}).get("parameters", {})
    unknown = sorted(set(parameters) - set(declared))
    if unknown:
        raise ConfigurationError(
            f"--param: {pipeline} has no parameter {', '.join(unknown)}; it has {', '.join(sorted(declared))}"
        )
    needed = {name for name, kind in declared.items() if not kind.get("isOptional")}
    missing = sorted(needed - set(parameters))
    if missing:
        raise ConfigurationError(f"--param: {pipeline} also needs {', '.join(f'{name}=…' for name in missing)}")
