"""A readout as tables on a terminal."""

from rich.console import Console
from rich.table import Table

from components.experiments.words import MEASURES, Document, span
from pipelines.runs.details import plain_table


def print_readout(document: Document, console: Console) -> None:
    """Print the arms, what each brought, and the words."""

    def say(line: str) -> None:
        console.print(line, soft_wrap=True, highlight=False, markup=False)

    say(f"{document['experiment']} in {document['environment']}: {_scope(document)}\n")
    console.print(_arms_table(document))
    if document["lists"]:
        say("")
        console.print(_measures_table(document))
    say("")
    for reason in document["reasons"]:
        say(f"  · {reason}")


def _scope(document: Document) -> str:
    if not document["lists"]:
        return "no lists yet"
    lists, users = f"{document['lists']:,} lists", f"{document['users']:,} users"
    return f"{lists} to {users}, from {document['from'][:16]} to {document['to'][:16]}"


def _arms_table(document: Document) -> Table:
    table = plain_table("arm", "share", "users", "lists", "fell back", "bundle")
    for name, arm in document["arms"].items():
        share = "" if arm["share"] is None else f"{arm['share']:.1%}"
        fell_back = f"{arm['fell_back']['lists']:,}"
        bundles = ", ".join(digest.removeprefix("sha256:")[:12] for digest in arm["bundles"])
        table.add_row(name, share, f"{arm['users']:,}", f"{arm['lists']:,}", fell_back, bundles)
    return table


def _measures_table(document: Document) -> Table:
    """Return each measure of each arm; its lists that fell back stand apart, in the last column."""
    table = plain_table("measure", "arm", "mean", "95 % interval", "fell back")
    for measure, words in MEASURES.items():
        title = words.removesuffix(" of the first click")
        for name, arm in document["arms"].items():
            apart = arm["fell_back"][measure]
            table.add_row(title, name, *_rate(arm.get(measure)), "" if apart is None else f"{apart:.4f}")
            title = ""
    return table


def _rate(rate: Document | None) -> tuple[str, str]:
    if not rate or rate["value"] is None:
        return "", ""
    return f"{rate['value']:.4f}", span(rate["ci95"], ".4f")
