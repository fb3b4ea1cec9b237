"""``rankloop schedules``: recurring runs on Kubeflow, made equal to a file in Git."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from pipelines.kubeflow.access import Access
from pipelines.terminal.options import json_option, kubeflow_options, patience_option

DIFFERENT = 3


@click.command("schedules")
@click.option("--check", is_flag=True, help="Change nothing; exit 3 when something differs.")
@click.option("--apply", is_flag=True, help="Create and replace what differs from the file.")
@click.option("--prune", is_flag=True, help="As --apply, and delete what is not in the file.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="The file of schedules. [default: manifests/base/schedules/schedules.toml]",
)
@kubeflow_options
@patience_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    access: Access,
    check: bool,
    apply: bool,
    prune: bool,
    file: Path | None,
    patience: float,
    as_json: bool,
) -> None:
    """Compare the recurring runs of Kubeflow Pipelines with a file, or make them equal to it.

    At most one recurring run of a schedule is enabled at any time, and no tick is lost. The command may be interrupted
    and repeated. Recurring runs that carry no mark of the file's owner are never touched.
    """
    if check + apply + prune > 1:
        raise click.UsageError("found several of --check, --apply and --prune, expected at most one")
    from pipelines.kubeflow.patience import Patience
    from pipelines.schedules import application
    from pipelines.schedules.orphans import ORPHANED
    from pipelines.schedules.schedule_file import SCHEDULES_FILE
    from pipelines.terminal.output import print_json

    place, calls = file or SCHEDULES_FILE, 0
    new_patience = partial(Patience, patience, partial(click.echo, err=True))
    if apply or prune:
        comparisons, calls = application.apply(place, access, prune, new_patience, _say)
    else:
        comparisons = application.compare(place, access, new_patience)
    if as_json:
        print_json({"calls": calls, "schedules": [asdict(comparison) for comparison in comparisons]})
    else:
        for one in comparisons:
            when = f"{one.pipeline} at {one.cron}" if one.pipeline else ""
            click.echo(f"{one.state:<16} {one.name:<24} {when}".rstrip())
    if any(one.state == ORPHANED for one in comparisons):
        click.echo("rankloop: ScheduledWorkflows went with their namespace; --apply makes them again", err=True)
    different = [one for one in comparisons if not one.is_same]
    if different and check:
        click.echo("rankloop: run `rankloop schedules --apply`, or --prune to delete too", err=True)
        ctx.exit(DIFFERENT)


def _say(step: Any) -> None:
    """Say each call and each wait in a line."""
    from pipelines.schedules.planner import Create, Delete, Disable, Enable, Wait

    words = {Create: "created, disabled", Enable: "enabled", Disable: "disabled", Delete: "deleted"}
    match step:
        case Wait(name, until, reason):
            click.echo(f"{name}: waits until {until:%H:%M:%S}: {reason}", err=True)
        case Create(wanted):
            click.echo(f"{wanted.name}: {words[Create]}", err=True)
        case Enable(run) | Disable(run) | Delete(run):
            click.echo(f"{run.name}: {words[type(step)]} {run.id}", err=True)
