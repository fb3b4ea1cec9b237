"""``rankloop forget``: erase one user everywhere, for good."""

from pathlib import Path

import click

from components.home.storage.locations import BucketPath, Location
from pipelines.terminal.options import home_option, json_option, last_shop_option, pipeline_root_option


@click.command("forget")
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@home_option
@last_shop_option
@pipeline_root_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    user: str,
    yes: bool,
    home: Location,
    shop_file: Path | None,
    pipeline_root: BucketPath | None,
    as_json: bool,
) -> None:
    """Erase USER from the lake with its old versions, the features, the online store, the feedback log and the runs.

    A keyed hash stays, so that no later run brings the user back, and a receipt without the id. If the command is
    interrupted, run it again. Exit 1 if some file still holds the user.
    """
    from components.erasure.forgetting import forget_user
    from components.erasure.words import print_receipt, receipt_document
    from components.home.homes import open_home
    from pipelines.terminal.output import print_json

    place = open_home(home)
    if not yes:
        click.confirm(f"Erase all that {place.root} knows of user {user!r}, for good?", abort=True, err=True)

    def say(words: str) -> None:
        if not as_json:
            click.echo(f"  {words}", err=True)

    receipt = forget_user(place, user, say, shop_file, pipeline_root)
    print_json(receipt_document(place, receipt)) if as_json else print_receipt(place, receipt)
    if receipt.state != "done":
        ctx.exit(1)
