"""``rankloop serve``: the ranking service on this machine."""

import click

from components.home.storage.locations import Location
from pipelines.terminal.options import environment_option, home_option


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@environment_option
@home_option
def command(host: str, port: int, environment: str, home: Location) -> None:
    """Serve the promoted bundle of an environment until interrupted.

    POST /v1/recommend {"user_id": ...} answers with a ranked list; POST /v1/rank orders given items.
    """
    from components.home.homes import open_home
    from pipelines.serving import serve

    serve(open_home(home), environment, host, port)
