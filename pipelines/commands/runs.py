"""``rankloop runs``: the runs of a home; one in detail; two side by side."""

from dataclasses import asdict

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import home_option, json_option


@click.command("runs")
@click.argument("names", metavar="[RUN [OTHER]]", nargs=-1)
@home_option
@json_option
def command(names: tuple[str, ...], home: Location, as_json: bool) -> None:
    """List the runs of a home, on this machine and on Kubeflow; show RUN in detail; compare RUN with OTHER.

    Name a run by its id, by a unique part of it, or by `last`.
    """
    from rich.console import Console

    from components.home.layout import Home
    from components.home.runs.records import find_run, list_runs
    from pipelines.runs.details import (
        compare_runs,
        comparison_table,
        details_tables,
        kubeflow_lines,
        run_details,
        runs_table,
    )
    from pipelines.terminal.output import print_json

    if len(names) > 2:
        raise click.UsageError(f"found {len(names)} runs, expected at most two to compare")
    place = Home(home)
    console = Console()
    if not names:
        runs = list_runs(place)
        if as_json:
            print_json([asdict(run) for run in runs])
        elif runs:
            console.print(runs_table(place, runs))
            for line in kubeflow_lines(runs):
                click.echo(line)
        else:
            click.echo(f"no runs in {place.root} yet; `rankloop run` makes the first")
        return
    details = [run_details(place, find_run(place, name)) for name in names]
    if len(details) == 1:
        print_json(details[0]) if as_json else console.print(details_tables(details[0]))
        return
    comparison = compare_runs(details[0], details[1])
    print_json(comparison) if as_json else console.print(comparison_table(comparison))
