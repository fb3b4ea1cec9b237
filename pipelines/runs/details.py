"""One run in detail and two runs side by side: metrics, data versions, parameters, bundle."""

import os
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from components.home.layout import Home
from components.home.runs.kubeflow import run_address
from components.home.runs.records import RunRecord, log_place, read_result
from components.home.runs.step_records import read_records
from pipelines.runs.live_table import step_table
from pipelines.runs.summary import quality_table

Document = dict[str, Any]
ENDPOINT = "KF_PIPELINES_ENDPOINT"  # of KFP's own client
PARAMETERS = "parameters"  # the fact in which a step keeps what it was set to


def runs_table(home: Home, runs: list[RunRecord]) -> Table:
    """Lay out one row a run, the newest first."""
    table = plain_table("run", "pipeline", "state", "as of", "seconds", "challenger", "verdict", "bundle")
    for run in runs:
        result = read_result(home, run.run_id) or {}
        table.add_row(
            run.run_id,
            run.pipeline,
            run.state,
            plain_text(result.get("as_of") or run.as_of)[:16],
            f"{run.seconds:.0f}",
            _quality(result),
            _decision(result),
            plain_text((result.get("bundle") or {}).get("digest")).removeprefix("sha256:")[:12],
        )
    return table


def kubeflow_lines(runs: list[RunRecord]) -> list[str]:
    """Return where each run on Kubeflow is seen, a line each: a link that a narrow table would break is of no use."""
    return [f"{run.run_id}  {kubeflow_place(run)}" for run in runs if run.kubeflow_run]


def kubeflow_place(run: RunRecord) -> str:
    """Return the link of a run on Kubeflow; without one, its id there."""
    endpoint = os.environ.get(ENDPOINT)
    return run.link or (run_address(endpoint, run.kubeflow_run or "") if endpoint else f"run {run.kubeflow_run}")


def run_details(home: Home, run: RunRecord) -> Document:
    """Return all that is known of a run: its record, its closing document, its data versions and parameters."""
    records = read_records(home.run(run.run_id))
    handles = {kind: asdict(handle) for record in records.values() for kind, handle in record.handles.items()}
    return {
        "run": asdict(run),
        "result": read_result(home, run.run_id),
        "data": {kind: handle["versions"] or handle["digest"] or handle["uri"] for kind, handle in handles.items()},
        "parameters": {
            name: record.facts[PARAMETERS] for name, record in records.items() if PARAMETERS in record.facts
        },
        "steps": [asdict(record) for record in records.values()],
        "log": log_place(home.run(run.run_id), run.kubeflow_run, run.kubeflow_run and kubeflow_place(run)),
    }


def details_tables(details: Document) -> RenderableType:
    """Lay out one run: what it was asked, its steps, its quality, its data."""
    from components.home.runs.step_records import StepRecord

    about = plain_table("", "")
    for name, value in flat(_compared(details)).items():
        about.add_row(name, plain_text(value))
    records = {step["name"]: StepRecord(**step) for step in details["steps"]}
    parts: list[RenderableType] = [about, "", step_table(tuple(records), records)]
    metrics = (details["result"] or {}).get("metrics")
    if metrics:
        parts += ["", quality_table(metrics)]
    return Group(*parts, "", f"log: {details['log']}")


def compare_runs(one: Document, other: Document) -> Document:
    """Return what two runs were and came to, name by name: ``{name: [one, other]}``; equal ones are listed apart."""
    left, right = flat(_compared(one)), flat(_compared(other))
    names = list(dict.fromkeys([*left, *right]))
    pairs = {name: [left.get(name), right.get(name)] for name in names}
    return {
        "runs": [one["run"]["run_id"], other["run"]["run_id"]],
        "different": {name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
        "equal": {name: pair[0] for name, pair in pairs.items() if pair[0] == pair[1]},
    }


def comparison_table(comparison: Document) -> Table:
    """Lay out what differs between two runs, then how much is equal."""
    table = plain_table("", *comparison["runs"])
    for name, pair in comparison["different"].items():
        table.add_row(name, *map(plain_text, pair))
    table.add_section()
    table.add_row(f"{len(comparison['equal'])} more are equal", "", "")
    return table


def flat(document: Document, prefix: str = "") -> Document:
    """Return a document of documents as one level, names joined by dots."""
    flattened: Document = {}
    for name, value in document.items():
        if isinstance(value, dict):
            flattened |= flat(value, f"{prefix}{name}.")
        else:
            flattened[f"{prefix}{name}"] = value
    return flattened


def _compared(details: Document) -> Document:
    run, result = details["run"], details["result"] or {}
    return {
        "state": run["state"],
        "error": run["error"],
        "as_of": result.get("as_of") or run["as_of"],
        "seconds": run["seconds"],
        "code": run["fingerprint"].get("code"),
        "shop_file": run["fingerprint"].get("shop"),
        "metrics": result.get("metrics") or {},
        "verdict": (result.get("verdict") or {}).get("promote"),
        "bundle": (result.get("bundle") or {}).get("digest"),
        "data": details["data"],
        "parameters": details["parameters"],
    }


def _quality(result: Document) -> str:
    challenger = (result.get("metrics") or {}).get("challenger") or {}
    return f"{next(iter(challenger.values())):.4f}" if challenger else ""


def _decision(result: Document) -> str:
    if not result.get("verdict"):
        return ""
    return "promote" if result["verdict"]["promote"] else "refused"


def plain_text(value: Any) -> str:
    """Say a value in a cell: nothing for None, four digits of a fraction, a list from first to last."""
    if value is None:
        return ""
    if isinstance(value, list):
        return " to ".join(map(plain_text, value))
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def plain_table(*titles: str) -> Table:
    """Begin a table without lines."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for place, title in enumerate(titles):
        table.add_column(title, overflow="fold", no_wrap=place == 0)
    return table
