"""``rankloop submit``: a run on Kubeflow Pipelines."""

import click

from pipelines.commands.options import json_option


@click.command("submit")
@click.argument("pipeline", type=click.Choice(["training", "monitoring"]))
@click.option("--host", metavar="URL", help="KFP's address. [default: $KF_PIPELINES_ENDPOINT, else the cluster's own]")
@click.option("--param", "params", metavar="K=V", multiple=True, help="A parameter of the pipeline; may be repeated.")
@click.option("--experiment", default="rankloop", show_default=True, help="KFP experiment of the run.")
@click.option("--namespace", help="Kubernetes namespace, in a multi-user KFP.")
@click.option("--wait", is_flag=True, help="Wait for the end of the run; exit 1 when it failed.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    pipeline: str,
    host: str | None,
    params: tuple[str, ...],
    experiment: str,
    namespace: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Submit PIPELINE (training or monitoring) as one run on Kubeflow Pipelines."""
    from pipelines.output import print_json
    from pipelines.submission import Submission, submit

    outcome = submit(Submission(pipeline, host, _parameters(params), experiment, namespace, wait))
    if as_json:
        print_json(outcome)
    else:
        click.echo(f"run {outcome['kfp_run']} of {pipeline}: {outcome['state']}  {outcome['url']}")
    if outcome["state"] in ("FAILED", "CANCELED", "SKIPPED"):
        click.echo(f"rankloop: the run ended as {outcome['state']}; its steps' logs are at {outcome['url']}", err=True)
        ctx.exit(1)


def _parameters(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise click.UsageError(f"--param: found {pair!r}, expected NAME=VALUE")
        found[name] = value
    return found
