"""A training run: is there anything new, and if so, run it."""

from rich.console import Console

from components.home.layout import Home
from components.home.runs.document import Document
from components.home.runs.records import RunRecord, list_runs, read_result
from pipelines.runs.fingerprints import INPUTS, fingerprint
from pipelines.runs.outputs import lost_decisions, lost_outputs
from pipelines.runs.pipeline_run import run_to_document
from pipelines.runs.putting_back import PuttingBack
from pipelines.settings import RunSettings


def train(settings: RunSettings, again: bool, quiet: bool) -> Document:
    """Run the training pipeline, unless nothing is new; return the closing document.

    What the last run left and somebody lost is put back first; what only a new run can replace makes one.

    Raises:
        HomeBusyError: another run holds the home.
        RunFailedError: a step failed.
        SourceError: a source cannot be reached.
        StoreError: nothing is new, and the online store cannot be reached.
    """
    done = next((run for run in _training_runs(settings.home) if run.state == "done"), None)
    current = fingerprint(settings, last=done.fingerprint if done else None)
    if done is None:
        return _run(settings, current, quiet)
    is_new = again or not _is_last(settings.home, done) or not _is_unchanged(done, current)
    search = lost_decisions if is_new else lost_outputs
    put_back = PuttingBack(settings.home, _say)
    if put_back(search(settings.home, settings.shop, done)) or is_new:
        return _run(settings, current, quiet)
    _say(f"Nothing is new since run {done.run_id}; this is what it came to (--again runs it all the same).")
    document = read_result(settings.home, done.run_id) or {}
    return document | ({"put_back": put_back.done} if put_back.done else {})


def _run(settings: RunSettings, fingerprint: dict[str, str], quiet: bool) -> Document:
    return run_to_document(settings, "training", {"fingerprint": fingerprint}, quiet)


def _training_runs(home: Home) -> list[RunRecord]:
    return [run for run in list_runs(home) if run.pipeline == "training"]


def _is_last(home: Home, done: RunRecord) -> bool:
    """Return whether no training run was tried after one that ended well, and whether that has its document."""
    return _training_runs(home)[0] == done and read_result(home, done.run_id) is not None


def _is_unchanged(run: RunRecord, fingerprint: dict[str, str]) -> bool:
    """Return whether a run used the same code, shop file, sources and moment; its outputs are checked by name."""
    return all(run.fingerprint.get(name) == fingerprint[name] for name in INPUTS)


def _say(line: str) -> None:
    Console(stderr=True).print(line, soft_wrap=True, highlight=False, markup=False)
