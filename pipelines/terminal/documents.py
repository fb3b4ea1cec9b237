"""Print the result of a command: one JSON document on standard output, or words."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pipelines.terminal.output import print_json

if TYPE_CHECKING:
    import pyarrow as pa

    from components.bundles.promotion import PointerChange
    from components.home.layout import Home


def print_document(document: dict[str, Any], home: "Home", as_json: bool) -> None:
    """Print the closing document of a run."""
    if as_json:
        print_json(document)
        return
    from rich.console import Console

    from pipelines.runs.summary import print_summary

    print_summary(document, home, Console())


def print_change(change: "PointerChange", as_json: bool) -> None:
    """Print the result of a promotion or rollback."""
    if as_json:
        print_json(asdict(change))
    else:
        click.echo(change.reason)


def print_drift(document: dict[str, Any]) -> None:
    """Print what came of a monitoring run."""
    verdict = {"drifted": "drifted", "stable": "no drift", "too_small": "too little to judge"}[document["verdict"]]
    click.echo(f"{document['shop']} from {document['window_start']} to {document['as_of']}: {verdict}")
    for reason in document["reasons"]:
        click.echo(f"  · {reason}")
    for warning in document["warnings"]:
        click.echo(f"warning: {warning}")
    for name, uri in document["reports"].items():
        click.echo(f"{name}: {uri}")


def print_rows(rows: "pa.Table") -> None:
    """Print a table as aligned columns, scores to six digits."""
    columns = [[name, *map(_cell, rows[name].to_pylist())] for name in rows.column_names]
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns, strict=True):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)
