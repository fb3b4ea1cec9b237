"""``rankloop submit``: a run on Kubeflow Pipelines."""

import os
from pathlib import Path
from typing import Any

import click

from components.contracts.steps.declared import PIPELINES
from pipelines.commands.options import json_option
from pipelines.output import print_json


@click.command("submit")
@click.argument("pipeline", type=click.Choice(PIPELINES))
@click.option("--host", metavar="URL", help="KFP's address. [default: $KF_PIPELINES_ENDPOINT, else the cluster's own]")
@click.option("--shop", metavar="PATH", help="The shop file, as the steps find it, such as /etc/rankloop/shop.toml.")
@click.option("--home", metavar="URL", envvar="RANKLOOP_HOME", show_envvar=True, help="The home: s3://BUCKET/PREFIX.")
@click.option("--param", "params", metavar="K=V", multiple=True, help="A parameter of the pipeline; may be repeated.")
@click.option("--experiment", default="rankloop", show_default=True, help="KFP experiment of the run.")
@click.option("--namespace", help="Kubernetes namespace, in a multi-user KFP.")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="KF_PIPELINES_SA_TOKEN_PATH",
    help="A file with a bearer token. [or: $RANKLOOP_KFP_TOKEN, the token itself]",
)
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates of the authority that signed KFP's.",
)
@click.option("--wait", is_flag=True, help="Show the steps until the run has ended; exit 1 when it failed.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str,
    host: str | None,
    shop: str | None,
    home: str | None,
    params: tuple[str, ...],
    experiment: str,
    namespace: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Submit PIPELINE (training or monitoring) as one run on Kubeflow Pipelines.

    Behind a login, pass a token or, in $RANKLOOP_KFP_COOKIE, the cookie of a session in the browser. With --wait, the
    steps, the verdict and the report are read from the home, as those of a run on this machine.
    """
    given = {name: value for name, value in (("shop", shop), ("home", home)) if value}
    parameters = given | _parameters(params)
    from pipelines.runs.submitted_run import followed
    from pipelines.submission import Access, Submission

    token, cookie = (os.environ.get(name, "").strip() or None for name in ("RANKLOOP_KFP_TOKEN", "RANKLOOP_KFP_COOKIE"))
    access = Access(host or os.environ.get("KF_PIPELINES_ENDPOINT"), namespace, token, token_file, cookie, ca_file)
    outcome = followed(Submission(pipeline, access, parameters, experiment, wait), quiet=as_json)
    if as_json:
        print_json(outcome)
    else:
        _print(outcome, pipeline, parameters)
    if outcome["state"] in ("FAILED", "CANCELED", "SKIPPED"):
        click.echo(f"rankloop: the run ended as {outcome['state']}; its steps' logs are at {outcome['url']}", err=True)
        ctx.exit(1)


def _print(outcome: dict[str, Any], pipeline: str, parameters: dict[str, str]) -> None:
    from components.home.layout import Home
    from components.home.storage.locations import parse_location
    from pipelines.commands.documents import print_document

    if outcome["document"]:
        print_document(outcome["document"], Home(parse_location(parameters["home"])), as_json=False)
    click.echo(f"run {outcome['kfp_run']} of {pipeline}: {outcome['state']}  {outcome['url']}")


def _parameters(pairs: tuple[str, ...]) -> dict[str, str]:
    parameters = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise click.UsageError(f"--param: found {pair!r}, expected NAME=VALUE")
        parameters[name] = value
    return parameters
