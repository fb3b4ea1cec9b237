"""Print what a command came to: a JSON document alone on standard output, or words."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from components.bundles.promotion import PointerChange


def print_json(document: object) -> None:
    """Print one JSON document on standard output."""
    click.echo(json.dumps(document, indent=1, ensure_ascii=False))


def print_document(document: dict[str, Any], as_json: bool) -> None:
    """Print the closing document of a run."""
    if as_json:
        print_json(document)
        return
    from rich.console import Console

    from pipelines.run_summary import print_summary

    print_summary(document, Console())


def print_change(change: "PointerChange", as_json: bool) -> None:
    """Print what came of a promotion or rollback."""
    if as_json:
        print_json(asdict(change))
    else:
        click.echo(change.reason)
