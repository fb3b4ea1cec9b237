"""Submit a compiled pipeline to Kubeflow Pipelines."""

import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.contracts.errors import ConfigurationError, RankloopError
from pipelines.compiled import compile_package
from pipelines.fingerprints import code_digest
from pipelines.run_record import new_run_id

if TYPE_CHECKING:
    from kfp.client.client import RunPipelineResult

LONGEST_WAIT = timedelta(days=2)


class SubmissionError(RankloopError):
    """Kubeflow Pipelines cannot be reached, or would not take the run."""


@dataclass(frozen=True)
class Submission:
    """What to submit, and where."""

    pipeline: str
    host: str | None
    parameters: dict[str, str]
    experiment: str
    namespace: str | None
    wait: bool


def submit(submission: Submission) -> dict[str, Any]:
    """Submit a run and return its id, address and state; with ``wait``, the state it ended in.

    Raises:
        ConfigurationError: a parameter is unknown or missing.
        SubmissionError: KFP cannot be reached or refuses the run.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pipeline.yaml"
        specification = compile_package(submission.pipeline, file)[0]
        parameters = {"run_id": new_run_id(), "code_revision": code_digest()} | submission.parameters
        run_id = parameters["run_id"]
        _check(parameters, specification, submission.pipeline)
        with _translated_errors(submission.host):
            result = _create(submission, file, run_id, parameters)
            state = _final_state(result) if submission.wait else str(result.run_info.state or "PENDING")
    host = (submission.host or "").rstrip("/")
    return {"run_id": run_id, "kfp_run": result.run_id, "state": state, "url": f"{host}/#/runs/details/{result.run_id}"}


def _create(submission: Submission, file: Path, run_id: str, parameters: dict[str, str]) -> "RunPipelineResult":
    from kfp.client import Client

    client = Client(host=submission.host, namespace=submission.namespace or "kubeflow")
    return client.create_run_from_pipeline_package(
        str(file),
        arguments=parameters,
        run_name=f"{submission.pipeline} {run_id}",
        experiment_name=submission.experiment,
        namespace=submission.namespace,
    )


def _final_state(result: "RunPipelineResult") -> str:
    return str(result.wait_for_run_completion(LONGEST_WAIT).state).upper()


def _check(parameters: dict[str, str], specification: dict[str, Any], pipeline: str) -> None:
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


@contextmanager
def _translated_errors(host: str | None) -> Iterator[None]:
    """Keep the client's own prints off standard output, and its exceptions to one line."""
    from kfp_server_api.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except ApiException as error:
            raise SubmissionError(f"KFP at {host} refused the run: {error.status} {error.reason}") from error
        except (HTTPError, OSError) as error:
            raise SubmissionError(
                f"KFP at {host or 'the cluster'}: cannot be reached ({type(error).__name__}); name it by --host"
            ) from error
