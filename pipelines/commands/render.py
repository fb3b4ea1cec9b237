"""``rankloop render``: the manifests of each environment as the cluster gets them."""

import click

STALE = 3


@click.command("render")
@click.option("--check", is_flag=True, help="Write nothing; exit 3 when a file is stale.")
@click.option(
    "--kubectl", default="kubectl", envvar="KUBECTL", show_envvar=True, show_default=True, help="Its kustomize renders."
)
@click.pass_context
def command(ctx: click.Context, check: bool, kubectl: str) -> None:
    """Write the overlays with a bundle.yaml into manifests/rendered/, one resource a file.

    Argo CD applies what stands there. Run it after each change of manifests/, and commit what it writes.
    """
    from pipelines import rendering

    resources = rendering.rendered_resources(kubectl, rendering.MANIFESTS)
    stale = [resource for resource in resources if resource.is_stale]
    gone = rendering.left_over(resources, rendering.MANIFESTS)
    for resource in stale:
        if not check:
            resource.path.parent.mkdir(parents=True, exist_ok=True)
            resource.path.write_text(resource.text)
        click.echo(f"{'stale' if check else 'written'}: {resource.path}")
    for file in gone:
        if not check:
            file.unlink()
        click.echo(f"{'left over' if check else 'deleted'}: {file}")
    if not stale and not gone:
        click.echo("every rendered manifest is up to date")
    elif check:
        click.echo("rankloop: run `rankloop render` and commit what it writes", err=True)
        ctx.exit(STALE)
