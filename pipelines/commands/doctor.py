"""``rankloop doctor``: what is missing, lost or misconfigured on this machine, and the fix."""

from dataclasses import asdict
from pathlib import Path

import click

from components.home.storage.locations import Location
from pipelines.commands.kubeflow_options import HOST_HELP
from pipelines.commands.options import home_option, json_option, shop_option
from pipelines.finding import Finding


@click.command("doctor")
@shop_option
@home_option
@click.option("--cluster", is_flag=True, help="Examine the cluster of the kubeconfig, or of this pod, instead.")
@click.option("--namespace", default="rankloop", show_default=True, help="With --cluster: where the runs' pods are.")
@click.option("--host", metavar="URL", envvar="KF_PIPELINES_ENDPOINT", help=f"With --cluster: {HOST_HELP}")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    shop_file: Path,
    home: Location,
    cluster: bool,
    namespace: str,
    host: str | None,
    as_json: bool,
) -> None:
    """Say what is missing, lost or misconfigured on this machine or in a bucket, and the fix.

    With --cluster: the kinds of Kubeflow Pipelines and its version, the namespace's fences, what the steps refer to,
    their images, Redis, the clock and, if --home is a bucket, the store.
    """
    from pipelines.output import print_json

    findings = _of_cluster(namespace, home, host) if cluster else _of_machine(shop_file, home)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            sign = "ok  " if finding.well else ("FAIL" if finding.needed else "note")
            click.echo(f"{sign}  {finding.subject:<16} {finding.found}" + (f"; {finding.fix}" if finding.fix else ""))
    if any(finding.needed and not finding.well for finding in findings):
        ctx.exit(1)


def _of_machine(shop_file: Path, home: Location) -> list[Finding]:
    from pipelines.health import examine

    return examine(shop_file.expanduser().resolve(), home)


def _of_cluster(namespace: str, home: Location, host: str | None) -> list[Finding]:
    from components.home.storage.locations import BucketPath
    from pipelines.cluster.examination import examine_cluster
    from pipelines.cluster.kubeflow import examine_kubeflow
    from pipelines.health import examine_bucket

    found = [*examine_cluster(namespace), *examine_kubeflow(host)]
    return [*found, *(examine_bucket(home) if isinstance(home, BucketPath) else [])]
