"""A training run from beginning to end: is there anything new, run it, keep its closing document."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from components.contracts.steps import LATEST, read_records
from pipelines.fingerprints import fingerprint
from pipelines.live_table import shown_steps
from pipelines.local_run import RunFailedError, run_pipeline
from pipelines.run_document import Document, run_document
from pipelines.run_record import RunRecord, list_runs, new_run_id, read_result, write_json
from pipelines.settings import RunSettings
from pipelines.step_order import TRAINING


def train(settings: RunSettings, again: bool, quiet: bool) -> Document:
    """Run the training pipeline, unless nothing is new; return the closing document.

    Raises:
        RunFailedError: a step failed; ``result.json`` holds what the other steps came to.
    """
    console = Console(stderr=True)
    found = fingerprint(settings)
    earlier = None if again else _unchanged_run(settings, found)
    if earlier is not None:
        console.print(
            f"Nothing is new since run {earlier.run_id}; this is what it came to (--again runs it all the same).",
            soft_wrap=True,
            highlight=False,
        )
        return read_result(settings.home, earlier.run_id) or {}
    run = _new_run(settings, found)
    with _kept_document(settings, run), shown_steps(TRAINING, console, quiet) as show:
        arguments = training_arguments(settings, run.run_id, found["code"])
        run_pipeline(settings.home, run, "pipelines.training:training", arguments, show)
    return read_result(settings.home, run.run_id) or {}


def training_arguments(settings: RunSettings, run_id: str, code_revision: str) -> dict[str, Any]:
    """Return the arguments of the training pipeline."""
    as_of = settings.as_of.isoformat() if settings.as_of else LATEST
    return {
        "shop": str(settings.shop_file),
        "home": str(settings.home.root),
        "run_id": run_id,
        "code_revision": code_revision,
        "as_of": as_of,
    }


def _unchanged_run(settings: RunSettings, found: dict[str, str]) -> RunRecord | None:
    """Return the last run if it is done and rested on the same code, shop file, sources and moment."""
    last = next((run for run in list_runs(settings.home) if run.pipeline == "training"), None)
    if last is None or last.state != "done" or last.fingerprint != found:
        return None
    return last if read_result(settings.home, last.run_id) else None


def _new_run(settings: RunSettings, found: dict[str, str]) -> RunRecord:
    return RunRecord(
        run_id=new_run_id(),
        pipeline="training",
        shop=settings.shop.name,
        shop_file=str(settings.shop_file),
        as_of=settings.as_of.isoformat() if settings.as_of else None,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint=found,
    )


@contextmanager
def _kept_document(settings: RunSettings, run: RunRecord) -> Iterator[None]:
    """Write ``result.json`` when the run has ended, well or not; a failure carries it too."""
    try:
        yield
    except RunFailedError as failure:
        failure.document = _document(settings, run) | {"error": str(failure)}
        write_json(settings.home.run(run.run_id) / "result.json", failure.document)
        raise
    write_json(settings.home.run(run.run_id) / "result.json", _document(settings, run))


def _document(settings: RunSettings, run: RunRecord) -> Document:
    return run_document(settings.home, run, settings.shop, read_records(settings.home.run(run.run_id)))
