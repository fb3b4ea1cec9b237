"""What a run's folder holds beside its step records."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.contracts.verdict import Verdict, read_verdict
from components.write_report.facts import Facts
from components.write_report.run_outline import Records


@dataclass(frozen=True)
class RunFiles:
    """The run's own description, its verdict, its drift report as JSON, and Evidently's page."""

    run: Facts
    verdict: Verdict | None
    drift: Mapping[str, Any] | None
    evidently: Path | None


def read_run_files(run: Path, records: Records) -> RunFiles:
    """Read what is there; a file that is missing or half written counts as absent.

    The verdict and the drift report lie where the steps' handles say, else in the run's folder.
    """
    evidently = run / "evidently.html"
    return RunFiles(
        run=Facts(_json(run / "run.json")),
        verdict=_verdict(_left(records, "evaluate_ranker", "evaluation") or run / "verdict.json"),
        drift=_json(_left(records, "detect_drift", "drift") or run / "drift.json"),
        evidently=evidently if evidently.is_file() else None,
    )


def _left(records: Records, step: str, kind: str) -> Path | None:
    handle = records[step].handles.get(kind) if step in records else None
    return Path(handle.uri) if handle else None


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _verdict(path: Path) -> Verdict | None:
    try:
        return read_verdict(path)
    except (OSError, ValueError, KeyError, TypeError):
        return None
