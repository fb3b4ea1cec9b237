"""The receipt of an erasure in words."""

from dataclasses import asdict
from typing import Any

import click

from components.erasure.forgetting import Receipt
from components.home.layout import Home


def receipt_document(home: Home, receipt: Receipt) -> dict[str, Any]:
    """The receipt, and where it lies."""
    return asdict(receipt) | {"receipt": str(home.forgotten / f"{receipt.tombstone}.json")}


def print_receipt(home: Home, receipt: Receipt) -> None:
    """Print what was found, what was done to it, what stays and where that is written down."""
    click.echo(_headline(receipt))
    for name, erased in receipt.places.items():
        if erased["files"] or erased["rows"]:
            click.echo(f"  {name}: {erased['rows']:,} rows erased, {erased['files']:,} files rewritten or removed")
        if erased.get("parts"):
            click.echo(f"  {name}: {erased['parts']:,} ids in rows of others held this one as a part: replaced")
    click.echo(_searched(receipt))
    if receipt.services.get("silent"):
        click.echo(f"{receipt.services['silent']} services did not say that they know; stop them, then forget again")
    for words in receipt.kept:
        click.echo(f"  stays: {words}")
    click.echo(f"receipt: {home.forgotten / receipt.tombstone}.json")


def _headline(receipt: Receipt) -> str:
    if receipt.rows:
        return f"forgotten: {receipt.rows:,} rows were erased"
    if any(erased["rows"] or erased.get("parts") for erased in receipt.places.values()):
        return f"forgotten since {receipt.began}: nothing more was found"
    return "nothing was found of this user; the tombstone keeps out what may come"


def _searched(receipt: Receipt) -> str:
    found = receipt.sweep
    how = "tables, documents and bytes" if found["by_bytes"] else "tables and documents, for so short an id is no clue"
    searched = f"{found['files']:,} files ({found['bytes'] / 1e6:,.1f} MB) were searched afterwards, by {how}"
    if found["held_by"]:
        return f"{searched}; these still hold the user: {', '.join(found['held_by'])}"
    return f"{searched}: clean"
