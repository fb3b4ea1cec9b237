"""What a run's folder holds beside its step records."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.contracts.errors import RankloopError
from components.contracts.verdict import Verdict, read_verdict
from components.home.storage.documents import read_document
from components.home.storage.locations import Location, parse_location
from components.write_report.facts import Facts
from components.write_report.run_outline import Records


@dataclass(frozen=True)
class RunFiles:
    """The run's own description, its verdict, its drift report as JSON, and Evidently's page."""

    run: Facts
    verdict: Verdict | None
    drift: Mapping[str, Any] | None
    evidently: bytes | None


def read_run_files(run: Location, records: Records) -> RunFiles:
    """Read what is there; a file that is missing or half written counts as absent.

    The verdict and the drift report lie where the steps' handles say, else in the run's folder.
    """
    return RunFiles(
        run=Facts(_json(run / "run.json")),
        verdict=_verdict(_left(records, "evaluate_ranker", "evaluation") or run / "verdict.json"),
        drift=_json(_left(records, "detect_drift", "drift") or run / "drift.json"),
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
