"""``rankloop doctor``: what is missing, lost or misconfigured on this machine, and the fix."""

from dataclasses import asdict
from pathlib import Path

import click

from components.home.storage.locations import Location
from pipelines.finding import Finding
from pipelines.kubeflow.access import Access
from pipelines.terminal.options import home_option, json_option, kubeflow_options, shop_option


@click.command("doctor")
@shop_option
@home_option
@click.option("--cluster", is_flag=True, help="Examine the cluster of the kubeconfig, or of this pod, instead.")
@kubeflow_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    access: Access,
    shop_file: Path,
    home: Location,
    cluster: bool,
    as_json: bool,
) -> None:
    """Say what is missing, lost or misconfigured on this machine or in a bucket, and the fix.

    With --cluster: the kinds of Kubeflow Pipelines and its version, the fences of --namespace (else `rankloop`), what
    the steps refer to, their images, Redis, the clock and, if --home is a bucket, the store.
    """
    from pipelines.terminal.output import print_json

    findings = _of_cluster(home, access) if cluster else _of_machine(shop_file, home)
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


def _of_cluster(home: Location, access: Access) -> list[Finding]:
    from components.home.storage.locations import BucketPath
    from pipelines.cluster.examination import examine_cluster
    from pipelines.health import examine_bucket
    from pipelines.kubeflow.examination import examine_kubeflow
    from pipelines.kubernetes import NAME

    found = [*examine_cluster(access.namespace or NAME), *examine_kubeflow(access)]
    return [*found, *(examine_bucket(home) if isinstance(home, BucketPath) else [])]
