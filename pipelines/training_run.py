"""A training run: is there anything new, and if so, run it."""

from rich.console import Console

from pipelines.fingerprints import fingerprint
from pipelines.pipeline_run import run_to_document
from pipelines.run_document import Document
from pipelines.run_record import RunRecord, list_runs, read_result
from pipelines.settings import RunSettings


def train(settings: RunSettings, again: bool, quiet: bool) -> Document:
    """Run the training pipeline, unless nothing is new; return the closing document.

    Raises:
        HomeBusyError: another run holds the home.
        RunFailedError: a step failed.
        SourceError: a source cannot be reached.
    """
    found = fingerprint(settings)
    earlier = None if again else _unchanged_run(settings, found)
    if earlier is not None:
        Console(stderr=True).print(
            f"Nothing is new since run {earlier.run_id}; this is what it came to (--again runs it all the same).",
            soft_wrap=True,
            highlight=False,
        )
        return read_result(settings.home, earlier.run_id) or {}
    return run_to_document(settings, "training", {"code_revision": found["code"]}, found, quiet)


def _unchanged_run(settings: RunSettings, found: dict[str, str]) -> RunRecord | None:
    """Return the last run if it is done and rested on the same code, shop file, sources and moment."""
    last = next((run for run in list_runs(settings.home) if run.pipeline == "training"), None)
    if last is None or last.state != "done" or last.fingerprint != found:
        return None
    return last if read_result(settings.home, last.run_id) else None
