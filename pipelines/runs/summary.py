"""The words that `rankloop run` ends with: quality beside each baseline, the verdict, the report, what next."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.home.layout import Home
from components.home.runs.step_records import read_records
from pipelines.paths import DEFAULT_HOME

Document = dict[str, Any]


def print_summary(document: Document, home: Home, console: Console) -> None:
    """Print what a run came to."""

    def say(line: str | Text) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    say(f"\nRun {document['run_id']} of {document['shop']}, as of {document['as_of']}")
    if document["metrics"]:
        console.print(quality_table(document["metrics"]))
    if document["verdict"]:
        for line in verdict_lines(document, home):
            say(line)
    for warning in warning_lines(document):
        say(warning)
    for name, uri in sorted(document["reports"].items(), key=lambda report: report[0] != "report"):
        say(f"{name}: {uri}")
    for text in next_steps(document, home):
        say(text)


def quality_table(metrics: Document) -> Table | Text:
    """Lay out each contender's NDCG with its interval, the best first; say so when nobody was scored."""
    rows = {name: metrics[name] for name in ("challenger", "champion") if metrics[name]} | metrics["baselines"]
    if not rows:
        return Text("quality: nothing was scored, for no known customer bought in the held-out weeks")
    (measure, interval) = next(iter(rows.values())).keys()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("contender")
    table.add_column(measure.replace("ndcg_at_", "NDCG@"), justify="right")
    table.add_column(f"{interval.removeprefix('ci')} % interval", justify="center")
    for name, score in sorted(rows.items(), key=lambda row: -row[1][measure]):
        low, high = score[interval]
        style = "bold" if name == "challenger" else ""
        table.add_row(Text(name, style), Text(f"{score[measure]:.4f}", style), f"{low:.4f} to {high:.4f}")
    return table


def verdict_lines(document: Document, home: Home) -> list[Text]:
    """Return the verdict and each of its checks, the failed ones first."""
    verdict = document["verdict"]
    word, style = ("promote", "bold green") if verdict["promote"] else ("do not promote", "bold yellow")
    records = read_records(home.run(document["run_id"]))
    checks = records["evaluate_ranker"].facts.get("checks", []) if "evaluate_ranker" in records else []
    failed = {check["reason"] for check in checks if not check["passed"]}
    lines = [Text("verdict: ").append(word, style)]
    for reason in verdict["reasons"]:
        sign = Text("  ✗ ", "yellow") if reason in failed else Text("  ✓ ", "green")
        lines.append(sign.append(reason, "default"))
    return lines


def warning_lines(document: Document) -> list[Text]:
    """Return the warnings of a run; an older run's document has none."""
    return [Text("warning: ", "bold yellow").append(line, "default") for line in document.get("warnings", [])]


def next_steps(document: Document, home: Home) -> list[str]:
    """Return what a user may do next, as commands."""
    refused = bool(document["verdict"]) and not document["verdict"]["promote"]
    nothing_live = refused and not document["metrics"]["champion"]
    bundle = " --bundle challenger" if nothing_live else ""
    place = "" if home.root == DEFAULT_HOME.resolve() else f" --home {home.root}"
    advice = ["  what is live has not changed; the report says which check to work on"] if refused else []
    commands = (
        "serve",
        f"recommend --all-users{bundle} --out recommendations.parquet",
        "runs",
        "drift",
    )
    return ["next:", *advice, *(f"  {program()} {command}{place}" for command in commands)]


def program() -> str:
    """Return how this program is called from here: by its name if the shell would find it, else by its path."""
    here = Path(sys.argv[0])
    command = shutil.which(here.name)
    is_found = command is not None and here.exists() and Path(command).samefile(here)
    return here.name if is_found or not here.exists() else os.path.relpath(here)
