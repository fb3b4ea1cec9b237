"""``rankloop housekeeping``: what Kubeflow Pipelines never deletes."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import click

from components.home.storage.locations import BucketPath
from pipelines.kubeflow.access import Access
from pipelines.terminal.options import json_option, kubeflow_options, patience_option, pipeline_root_option
from pipelines.terminal.output import print_json


def _homes(_: click.Context, __: click.Parameter, homes: tuple[str, ...]) -> frozenset[str]:
    """Refuse an empty home, as of a variable that is not set: it would be that of every run without one."""
    if not all(home.strip("/ ") for home in homes):
        raise click.BadParameter("found no URL, expected that of a home, such as s3://BUCKET/PREFIX")
    return frozenset(home.rstrip("/") for home in homes)


@click.command("housekeeping")
@click.option("--days", type=click.IntRange(1), default=90, show_default=True, help="What is younger stays.")
@click.option(
    "--old-home",
    "old_homes",
    metavar="URL",
    multiple=True,
    callback=_homes,
    help="Delete all runs of this home; repeatable.",
)
@pipeline_root_option
@click.option("--apply", is_flag=True, help="Delete. Without it, only say what would go.")
@kubeflow_options
@patience_option
@json_option
def command(
    access: Access,
    days: int,
    old_homes: frozenset[str],
    pipeline_root: BucketPath | None,
    apply: bool,
    patience: float,
    as_json: bool,
) -> None:
    """Show what Kubeflow keeps of our pipelines for ever, or delete it.

    Archived runs, all runs of --old-home, old pipeline versions that nothing names and, with --pipeline-root,
    the artifacts of old runs. Homes are not touched: the runs' records, reports and bundles lie there.
    """
    from pipelines.compiled import version_names
    from pipelines.kubeflow.housekeeping import Rules
    from pipelines.kubeflow.patience import Patience

    rules = Rules(timedelta(days=days), old_homes, frozenset(version_names()), pipeline_root)
    removed = _removals(access, rules, apply, Patience(patience, partial(click.echo, err=True)))
    if as_json:
        print_json({"applied": apply, "removals": [_document(one) for one in removed]})
        return
    for one in removed:
        click.echo(f"{one.kind:<10} {one.since:%Y-%m-%d}  {one.name:<40} {one.reason}")
    done = "deleted" if apply else "would go; --apply deletes them" if removed else "would go"
    click.echo(f"{len(removed)} {done}")


def _removals(access: Access, rules: Any, apply: bool, patience: Any) -> list[Any]:
    from pipelines.kubeflow.client import open_client, translated_errors
    from pipelines.kubeflow.housekeeping import artifact_removals, read_inventory, removals, remove
    from pipelines.kubeflow.patience import repeated

    now = datetime.now(UTC)
    with translated_errors(access.host):
        client = open_client(access)
        inventory = repeated(lambda: read_inventory(client, access.namespace), patience)
        removable = [*artifact_removals(inventory, rules, now), *removals(inventory, rules, now)]
        for one in removable if apply else []:
            repeated(partial(remove, client, one), patience)
    return removable


def _document(removal: Any) -> dict[str, Any]:
    return {
        "kind": removal.kind,
        "id": removal.id,
        "name": removal.name,
        "since": removal.since.isoformat(),
        "reason": removal.reason,
    }
