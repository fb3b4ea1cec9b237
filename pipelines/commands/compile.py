"""``rankloop compile``: the pipelines as committed Kubernetes resources."""

import click

STALE = 3


@click.command("compile")
@click.option("--check", is_flag=True, help="Write nothing; exit 3 when a committed file is stale.")
@click.pass_context
def command(ctx: click.Context, check: bool) -> None:
    """Write the pipelines as Kubernetes resources into manifests/."""
    from pipelines.compiled import compiled_resources

    stale = [resource for resource in compiled_resources() if resource.is_stale]
    for resource in stale:
        if not check:
            resource.path.parent.mkdir(parents=True, exist_ok=True)
            resource.path.write_text(resource.text)
        click.echo(f"{'stale' if check else 'written'}: {resource.path}")
    if not stale:
        click.echo("every compiled pipeline is up to date")
    if stale and check:
        click.echo("rankloop: run `rankloop compile` and commit what it writes", err=True)
        ctx.exit(STALE)
