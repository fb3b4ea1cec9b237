"""The files of a run's folder beside its step records."""

import json
from dataclasses import dataclass
from typing import Any

from components.contracts.errors import RankloopError
from components.contracts.verdict import Verdict, read_verdict
from components.drift.report import DriftReport
from components.home.storage.documents import read_document
from components.home.storage.locations import Location, parse_location
from components.write_report.facts import read_facts
from components.write_report.run_outline import Records


@dataclass(frozen=True)
class Fingerprint:
    """The inputs of a run, as digests."""

    code: str | None = None
    shop: str | None = None
    sources: str | None = None


@dataclass(frozen=True)
class RunIdentity:
    """The fields of ``run.json`` that a report shows."""

    run_id: str | None = None
    shop: str | None = None
    pipeline: str | None = None
    started: str | None = None
    as_of: str | None = None  # as asked
    kubeflow_run: str | None = None
    link: str | None = None  # where people see it there
    fingerprint: Fingerprint = Fingerprint()


@dataclass(frozen=True)
class RunFiles:
    """The run's own description, its verdict, its drift report, and Evidently's page."""

    run: RunIdentity
    verdict: Verdict | None
    drift: DriftReport | None
    evidently: bytes | None


def read_run_files(run: Location, records: Records) -> RunFiles:
    """Read what is there; a file that is missing or half written counts as absent.

    The verdict and the drift report lie where the steps' handles say, else in the run's folder.
    """
    return RunFiles(
        run=read_facts(RunIdentity, _json(run / "run.json")) or RunIdentity(),
        verdict=_verdict(_left(records, "evaluate_ranker", "evaluation") or run / "verdict.json"),
        drift=read_facts(DriftReport, _json(_left(records, "detect_drift", "drift") or run / "drift.json")),
        evidently=_content(run / "evidently.html"),
    )


def _left(records: Records, step: str, kind: str) -> Location | None:
    handle = records[step].handles.get(kind) if step in records else None
    return parse_location(handle.uri) if handle else None


def _content(place: Location) -> bytes | None:
    try:
        return read_document(place)
    except (OSError, RankloopError):
        return None


def _json(place: Location) -> dict[str, Any] | None:
    try:
        document = json.loads(_content(place) or b"null")
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _verdict(place: Location) -> Verdict | None:
    try:
        return read_verdict(_content(place) or b"")
    except (ValueError, KeyError, TypeError):
        return None
