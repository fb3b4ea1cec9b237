"""``rankloop doctor``: what is missing, lost or misconfigured on this machine, and the fix."""

from dataclasses import asdict
from pathlib import Path

import click

from components.home.storage.locations import Location
from pipelines.commands.options import home_option, json_option, shop_option


@click.command("doctor")
@shop_option
@home_option
@json_option
@click.pass_context
def command(ctx: click.Context, shop_file: Path, home: Location, as_json: bool) -> None:
    """Say what is missing, lost or misconfigured on this machine or in a bucket, and the fix."""
    from pipelines.health import examine
    from pipelines.output import print_json

    findings = examine(shop_file.expanduser().resolve(), home)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            sign = "ok  " if finding.well else ("FAIL" if finding.needed else "note")
            click.echo(f"{sign}  {finding.subject:<16} {finding.found}" + (f"; {finding.fix}" if finding.fix else ""))
    if any(finding.needed and not finding.well for finding in findings):
        ctx.exit(1)
