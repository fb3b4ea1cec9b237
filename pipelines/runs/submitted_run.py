"""A run on Kubeflow, shown from its home as a run on this machine is: its steps while it works, and what it came to."""

from typing import Any

from rich.console import Console

from components.contracts.errors import RankloopError
from components.contracts.steps.declared import steps_of
from components.home.layout import Home
from components.home.runs.records import read_result
from components.home.runs.step_records import read_records
from components.home.storage.locations import BucketPath, parse_location
from pipelines.runs.live_table import shown_steps
from pipelines.runs.local_run import Show
from pipelines.submission import Submission, submit


def followed(submission: Submission, quiet: bool) -> dict[str, Any]:
    """Submit a run and return its id, address, state and, once it has ended, its closing document from the home.

    The steps are shown only with ``wait``, and where the home is a bucket that can be read from here.

    Raises:
        ConfigurationError, SubmissionError: as ``submit``.
    """
    home = _home(submission.parameters.get("home", ""))
    steps = steps_of(submission.pipeline)
    with shown_steps(steps, Console(stderr=True), quiet or home is None or not submission.wait) as show:
        outcome = submit(submission, _Look(home, show))
    return outcome | {"document": _document(home, outcome["run_id"]) if submission.wait else None}


class _Look:
    """Shows the records of a run's steps; says once why it cannot."""

    def __init__(self, home: Home | None, show: Show) -> None:
        self._home, self._show = home, show

    def __call__(self, run_id: str) -> None:
        if self._home is None:
            return
        try:
            self._show(read_records(self._home.run(run_id)))
        except RankloopError as error:
            Console(stderr=True).print(f"the steps cannot be shown: {error}", soft_wrap=True, markup=False)
            self._home = None


def _home(address: str) -> Home | None:
    """Return a home that this machine can read as the cluster does: a folder is another one there."""
    location = parse_location(address) if address else None
    return Home(location) if isinstance(location, BucketPath) else None


def _document(home: Home | None, run_id: str) -> dict[str, Any] | None:
    try:
        return read_result(home, run_id) if home else None
    except RankloopError:
        return None
