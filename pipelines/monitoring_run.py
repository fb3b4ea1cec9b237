"""A monitoring run in a home that training has made."""

from pathlib import Path

from components.contracts.steps import read_records
from pipelines.homes import open_home, shop_file_of
from pipelines.pipeline_run import run_to_document
from pipelines.run_document import Document
from pipelines.settings import run_settings


def monitor(home: Path, environment: str, window: int | None, as_of: str | None, quiet: bool) -> Document:
    """Run the monitoring pipeline and return its document: that of a run, without what only training has, and drift.

    Raises:
        ConfigurationError: there is no home there, or its shop file is gone.
        RunFailedError: a step failed.
    """
    settings = run_settings(shop_file_of(open_home(home)), home, as_of)
    arguments = {"environment": environment} | ({"window": str(window)} if window else {})
    document = run_to_document(settings, "monitoring", arguments, {}, quiet)
    facts = read_records(settings.home.run(document["run_id"]))["detect_drift"].facts
    kept = {name: document[name] for name in ("run_id", "shop", "as_of", "steps", "reports")}
    found = {name: facts[name] for name in ("drifted", "verdict", "reasons", "bundle", "window_start", "metrics")}
    return kept | found
