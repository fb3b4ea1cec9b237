"""``rankloop breaker``: whether an environment takes promotions."""

from dataclasses import asdict

import click

from components.contracts.errors import ConfigurationError
from pipelines.terminal.options import environment_option, json_option

STOPPED = 3


@click.command("breaker")
@environment_option
@click.option("--reset", is_flag=True, help="Let promotions through again.")
@json_option
@click.pass_context
def command(ctx: click.Context, environment: str, reset: bool, as_json: bool) -> None:
    """Say whether promotions of an environment are stopped because a canary failed; exit 3 if they are.

    With --reset they go on. The bundles that failed are not promoted again.
    """
    from datetime import UTC, datetime

    from components.gitops.record import reset_stop, stop_of, stop_sentence
    from components.gitops.remote import Remote
    from components.gitops.settings import URL, git_settings
    from pipelines.terminal.output import print_json

    settings = git_settings(environment)
    if settings is None:
        raise ConfigurationError(f"{URL}: found nothing, expected the repository that {environment} lives in")
    remote = Remote(settings)
    if reset:
        reset_stop(remote, environment, datetime.now(UTC))
    stop = None if reset else stop_of(remote, environment)
    if as_json:
        print_json({"environment": environment, "stopped": asdict(stop) if stop else None})
    else:
        click.echo(stop_sentence(environment, stop) if stop else f"{environment} takes promotions")
    if stop:
        ctx.exit(STOPPED)
