"""The words that `rankloop run` ends with: quality beside each baseline, the verdict, the report, what next."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Document = dict[str, Any]


def print_summary(document: Document, console: Console) -> None:
    """Print what a run came to."""
    console.print()
    console.print(f"Run {document['run_id']} of {document['shop']}, as of {document['as_of']}", highlight=False)
    if document["metrics"]:
        console.print(quality_table(document["metrics"]))
    if document["verdict"]:
        _print_verdict(document["verdict"], console)
    for name, uri in document["reports"].items():
        console.print(f"{name}: {uri}", soft_wrap=True, highlight=False, markup=False)
    for line in next_steps(document):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def quality_table(metrics: Document) -> Table:
    """Lay out each contender's NDCG with its interval, the best first."""
    rows = {name: metrics[name] for name in ("challenger", "champion") if metrics[name]} | metrics["baselines"]
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


def _print_verdict(verdict: Document, console: Console) -> None:
    word, style = ("promote", "bold green") if verdict["promote"] else ("do not promote", "bold yellow")
    console.print(Text("verdict: ").append(word, style))
    for reason in verdict["reasons"]:
        console.print(f"  · {reason}", soft_wrap=True, highlight=False, markup=False)


def next_steps(document: Document) -> list[str]:
    """Return what a user may do next, as commands."""
    lines = ["next:"]
    if document["verdict"] and not document["verdict"]["promote"]:
        lines.append("  the live bundle is unchanged; the report says which check to work on")
    return [
        *lines,
        "  rankloop recommend --all-users --out recommendations.parquet   lists for every customer",
        "  rankloop runs                                                  this run beside earlier ones",
        "  rankloop drift                                                 the newest data against the reference",
    ]
