"""``rankloop run``: the whole training pipeline on this machine."""

from pathlib import Path

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import home_option, json_option, shop_option


@click.command("run")
@shop_option
@home_option
@click.option("--as-of", metavar="TIME", help="Use nothing after this date or time. [default: the last complete day]")
@click.option("--again", is_flag=True, help="Run although nothing is new.")
@json_option
def command(shop_file: Path, home: Location, as_of: str | None, again: bool, as_json: bool) -> None:
    """Run the whole training pipeline on this machine.

    A challenger that the gate refuses is a finished run: the exit code is 0 and the live bundle stays.
    """
    from pipelines.runs.local_run import RunFailedError
    from pipelines.runs.training_run import train
    from pipelines.settings import run_settings
    from pipelines.terminal.documents import print_document
    from pipelines.terminal.output import print_json

    settings = run_settings(shop_file, home, as_of)
    try:
        document = train(settings, again=again, quiet=as_json)
    except RunFailedError as failure:
        if as_json:
            print_json(failure.document)
        raise
    print_document(document, settings.home, as_json)
