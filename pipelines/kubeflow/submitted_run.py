"""A run on Kubeflow, shown from its home as a run on this machine is: its steps while it works, and what it came to."""

import time
from typing import Any

from rich.console import Console

from components.contracts.errors import RankloopError
from components.contracts.steps.declared import REPORTING, steps_of
from components.home.layout import Home
from components.home.runs.records import read_result
from components.home.runs.step_records import read_records
from pipelines.kubeflow.pods import OUT_OF_MEMORY, pod_troubles
from pipelines.kubeflow.submission import Submission, home_of, submit
from pipelines.runs.live_table import shown_steps
from pipelines.runs.local_run import Show

NO_RESULT = f"its last step, {REPORTING}, has not ended, so there is neither verdict nor report"
POD_SECONDS = 30  # between two looks at the pods


def followed(submission: Submission, quiet: bool) -> dict[str, Any]:
    """Submit a run and return its id, address, state and, once it has ended, its closing document from the home.

    The steps are shown only with ``wait``, and where the home is a bucket that can be read from here.

    Raises:
        ConfigurationError, SubmissionError: as ``submit``.
    """
    home = home_of(submission)
    steps = steps_of(submission.pipeline)
    with shown_steps(steps, Console(stderr=True), quiet or home is None or not submission.wait) as show:
        outcome = submit(submission, _Look(home, show, submission.access.namespace))
    outcome["reason"] = _with_peaks(outcome["reason"], home, outcome["run_id"])
    return outcome | (_closing(home, outcome) if submission.wait and home else {"document": None})


class _Look:
    """Shows the records of a run's steps, and what is wrong with its pods; says everything once."""

    def __init__(self, home: Home | None, show: Show, namespace: str | None) -> None:
        self._home, self._show, self._namespace = home, show, namespace
        self._said: set[str] = set()
        self._next_pods = time.monotonic() + POD_SECONDS

    def __call__(self, run_id: str, kfp_run: str) -> None:
        if time.monotonic() >= self._next_pods:
            self._next_pods = time.monotonic() + POD_SECONDS
            for step, trouble in pod_troubles(kfp_run, self._namespace).items():
                self._say(f"{step}: {trouble}")
        if self._home is None:
            return
        try:
            self._show(read_records(self._home.run(run_id)))
        except RankloopError as error:
            self._say(f"the steps cannot be shown: {error}")
            self._home = None

    def _say(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            Console(stderr=True).print(line, soft_wrap=True, markup=False)


def _with_peaks(reason: str | None, home: Home | None, run_id: str) -> str | None:
    """Add to a reason how much memory each step that ran out of it had used when it was last seen."""
    if reason is None or home is None or OUT_OF_MEMORY not in reason:
        return reason
    try:
        records = read_records(home.run(run_id))
    except RankloopError:
        return reason
    peaks = [f"{name} had used {record.peak_mb:.0f} MB" for name, record in records.items() if f"{name}: " in reason]
    return f"{reason} ({', '.join(peaks)} when it was last seen)" if peaks else reason


def _closing(home: Home, outcome: dict[str, Any]) -> dict[str, Any]:
    """Return the closing document of a run; without one, a run that Kubeflow takes for a success has a reason too.

    Kubeflow does not count the last step, which writes the document: it is an exit handler.
    """
    try:
        document = read_result(home, outcome["run_id"])
    except RankloopError:
        return {"document": None}
    without_end = NO_RESULT if document is None and outcome["state"] == "SUCCEEDED" else None
    return {"document": document, "reason": outcome["reason"] or without_end}
