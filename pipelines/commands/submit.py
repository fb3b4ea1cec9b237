"""``rankloop submit``: a run on Kubeflow Pipelines."""

from typing import Any

import click

from components.contracts.steps.declared import PIPELINES
from pipelines.kubeflow.access import Access
from pipelines.terminal.options import json_option, kubeflow_options, patience_option
from pipelines.terminal.output import print_json


@click.command("submit")
@click.argument("pipeline", type=click.Choice(PIPELINES))
@click.option("--shop", metavar="PATH", help="The shop file, as the steps find it, such as /etc/rankloop/shop.toml.")
@click.option("--home", metavar="URL", envvar="RANKLOOP_HOME", show_envvar=True, help="The home: s3://BUCKET/PREFIX.")
@click.option("--param", "params", metavar="K=V", multiple=True, help="A parameter of the pipeline; may be repeated.")
@click.option("--experiment", default="rankloop", show_default=True, help="KFP experiment of the run.")
@click.option("--service-account", help="Kubernetes account of the run's pods. [default: KFP's own]")
@kubeflow_options
@patience_option
@click.option("--wait", is_flag=True, help="Show the steps until the run has ended; exit 1 when it failed.")
@click.option("--follow", metavar="RUN", help="Submit nothing; wait for this run of KFP, which was submitted before.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    access: Access,
    pipeline: str,
    shop: str | None,
    home: str | None,
    params: tuple[str, ...],
    experiment: str,
    service_account: str | None,
    patience: float,
    wait: bool,
    follow: str | None,
    as_json: bool,
) -> None:
    """Submit PIPELINE (training or monitoring) as one run on Kubeflow Pipelines.

    The compiled pipeline is uploaded first, as a version named by its content, unless KFP has it.

    Behind a login, pass a token or, in $RANKLOOP_KFP_COOKIE, the cookie of a session in the browser. With --wait, the
    steps, the verdict and the report are read from the home, as those of a run on this machine.
    """
    if follow is not None and not follow.strip():
        raise click.UsageError("--follow: found nothing, expected the id of a run of KFP, which `submit` has printed")
    given = {name: value for name, value in (("shop", shop), ("home", home)) if value}
    parameters = given | _parameters(params)
    from pipelines.kubeflow.submission import Submission, place_of
    from pipelines.kubeflow.submitted_run import followed

    outcome = followed(
        Submission(
            pipeline, access, parameters, experiment, wait or follow is not None, service_account, patience, follow
        ),
        quiet=as_json,
    )
    if as_json:
        print_json(outcome)
    else:
        _print(outcome, pipeline, parameters)
    if outcome["reason"] or outcome["state"] in ("FAILED", "CANCELED", "SKIPPED"):
        reason = f" ({outcome['reason']})" if outcome["reason"] else ""
        ended = f"the run ended as {outcome['state']}{reason}"
        place = place_of(outcome["kfp_run"], outcome["url"])
        click.echo(f"rankloop: {ended}; its steps' logs are at {place}", err=True)
        ctx.exit(1)


def _print(outcome: dict[str, Any], pipeline: str, parameters: dict[str, str]) -> None:
    from components.home.layout import Home
    from components.home.storage.locations import parse_location
    from pipelines.terminal.documents import print_document

    if outcome["document"]:
        print_document(outcome["document"], Home(parse_location(parameters["home"])), as_json=False)
    click.echo(f"run {outcome['kfp_run']} of {pipeline}: {outcome['state']}  {outcome['url'] or ''}".rstrip())


def _parameters(pairs: tuple[str, ...]) -> dict[str, str]:
    parameters = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise click.UsageError(f"--param: found {pair!r}, expected NAME=VALUE")
        parameters[name] = value
    return parameters
