"""``rankloop keys``: the keys of the ranking service's callers."""

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import home_option, json_option


@click.group("keys")
def command() -> None:
    """Add, list and remove the API keys that callers of the service show.

    A running service follows within a second or two. Without a keys file, it answers only this machine.
    """


@command.command("add")
@click.argument("name")
@home_option
@json_option
def add(name: str, home: Location, as_json: bool) -> None:
    """Make a key for NAME and print it: only now, the home keeps its hash."""
    from components.contracts.moments import now_text
    from components.home.homes import open_home
    from pipelines.api_keys import add_key
    from pipelines.terminal.output import print_json, require_written

    key = add_key(open_home(home), name, now_text())
    if as_json:
        print_json({"name": name, "key": key})
        return
    click.echo(key)
    require_written()
    click.echo("keep it now, it is not shown again; send it as `Authorization: Bearer KEY`", err=True)


@command.command("list")
@home_option
@json_option
def list_names(home: Location, as_json: bool) -> None:
    """List the names of the keys, oldest first."""
    from components.home.homes import open_home
    from pipelines.api_keys import list_keys
    from pipelines.terminal.output import print_json

    keys = list_keys(open_home(home))
    if as_json:
        print_json([{"name": key.name, "created": key.created} for key in keys])
        return
    for key in keys:
        click.echo(f"{key.created}  {key.name}")


@command.command("remove")
@click.argument("name")
@home_option
@json_option
def remove(name: str, home: Location, as_json: bool) -> None:
    """Refuse the key of NAME from now on."""
    from components.home.homes import open_home
    from pipelines.api_keys import remove_key
    from pipelines.terminal.output import print_json

    left = remove_key(open_home(home), name)
    if as_json:
        print_json({"name": name, "left": left})
    elif left:
        click.echo(f"{name} is refused from now on; {left} keys are left")
    else:
        click.echo(f"{name} is refused from now on; no key is left, so the service refuses every caller")
