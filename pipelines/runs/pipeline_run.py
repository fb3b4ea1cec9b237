"""One run of a pipeline from beginning to end: its record, its live table, its closing document."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console

from components.home.runs import RunRecord, new_run_id, read_result, write_json
from components.home.step_records import LATEST, read_records
from pipelines.runs.document import Document, run_document
from pipelines.runs.live_table import shown_steps
from pipelines.runs.local_run import RunFailedError, run_pipeline
from pipelines.runs.step_order import STEPS
from pipelines.settings import RunSettings


def run_to_document(
    settings: RunSettings, pipeline: str, arguments: dict[str, str], fingerprint: dict[str, str], quiet: bool
) -> Document:
    """Run a pipeline by name and return its closing document; ``arguments`` go beside shop, home, run and as-of.

    Raises:
        HomeBusyError: another run holds the home.
        RunFailedError: a step failed; ``result.json`` and the error hold what the other steps came to.
    """
    run = _new_run(settings, pipeline, fingerprint)
    arguments = _shared_arguments(settings, run.run_id) | arguments
    with _kept_document(settings, run), shown_steps(STEPS[pipeline], Console(stderr=True), quiet) as show:
        run_pipeline(settings.home, run, f"pipelines.{pipeline}:{pipeline}", arguments, show)
    return read_result(settings.home, run.run_id) or {}


def _shared_arguments(settings: RunSettings, run_id: str) -> dict[str, str]:
    return {
        "shop": str(settings.shop_file),
        "home": str(settings.home.root),
        "run_id": run_id,
        "as_of": settings.as_of.isoformat() if settings.as_of else LATEST,
    }


def _new_run(settings: RunSettings, pipeline: str, fingerprint: dict[str, str]) -> RunRecord:
    return RunRecord(
        run_id=new_run_id(settings.home),
        pipeline=pipeline,
        shop=settings.shop.name,
        shop_file=str(settings.shop_file),
        as_of=settings.as_of.isoformat() if settings.as_of else None,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        fingerprint=fingerprint,
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
