"""A monitoring run in a home that training has made."""

from pathlib import Path

from components.drift.window import window_days
from components.home.homes import open_home, shop_file_of
from components.home.runs.document import Document
from components.home.runs.step_records import read_records
from components.home.storage.locations import Location
from pipelines.runs.pipeline_run import run_to_document
from pipelines.settings import run_settings


def monitor(
    home: Location, environment: str, window: int | None, as_of: str | None, quiet: bool, shop_file: Path | None = None
) -> Document:
    """Run the monitoring pipeline and return its document: that of a run, without what only training has, and drift.

    Without a shop file it is the one that the home's last run used.

    Raises:
        ConfigurationError: there is no home there, its shop file is gone, or the window cannot be judged.
        RunFailedError: a step failed.
    """
    opened = open_home(home)
    settings = run_settings(shop_file or shop_file_of(opened), home, as_of)
    window_days(settings.shop, window)
    arguments = {"environment": environment, "fingerprint": {}} | ({"window": str(window)} if window else {})
    document = run_to_document(settings, "monitoring", arguments, quiet)
    facts = read_records(settings.home.run(document["run_id"]))["detect_drift"].facts
    kept = {name: document[name] for name in ("run_id", "shop", "as_of", "steps", "warnings", "reports")}
    outcome = {name: facts[name] for name in ("drifted", "verdict", "reasons", "bundle", "window_start", "metrics")}
    return kept | outcome
