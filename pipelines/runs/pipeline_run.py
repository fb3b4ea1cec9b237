"""One run of a pipeline from beginning to end: its arguments, its live table, its closing document."""

from typing import Any

from rich.console import Console

from components.contracts.steps.declared import steps_of
from components.home.runs.document import Document
from components.home.runs.records import new_run_id, read_result
from components.home.runs.step import LATEST
from pipelines.runs.live_table import shown_steps
from pipelines.runs.local_run import run_pipeline
from pipelines.settings import RunSettings


def run_to_document(settings: RunSettings, pipeline: str, arguments: dict[str, Any], quiet: bool) -> Document:
    """Run a pipeline by name and return its closing document; ``arguments`` go beside shop, home, run and as-of.

    Raises:
        HomeBusyError: another run holds the home.
        RunFailedError: a step failed; ``result.json`` and the error hold what the other steps came to.
    """
    home, run_id = settings.home, new_run_id(settings.home)
    shared = {
        "shop": str(settings.shop_file),
        "home": str(home.root),
        "run_id": run_id,
        "as_of": settings.as_of.isoformat() if settings.as_of else LATEST,
    }
    with shown_steps(steps_of(pipeline), Console(stderr=True), quiet) as show:
        run_pipeline(home, settings.shop.name, run_id, f"pipelines.{pipeline}:{pipeline}", shared | arguments, show)
    return read_result(home, run_id) or {}
