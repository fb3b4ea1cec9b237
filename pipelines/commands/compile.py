"""``rankloop compile``: the pipelines as committed Kubernetes resources."""

import os
from pathlib import Path

import click

from components.contracts.images import IMAGES_VARIABLE

STALE = 3


@click.command("compile")
@click.option("--check", is_flag=True, help="Write nothing; exit 3 when a file is stale.")
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    envvar=IMAGES_VARIABLE,
    show_envvar=True,
    help="A file of image digests, of the form of components/images.toml; needs --out.",
)
@click.option("--out", "folder", metavar="DIR", type=click.Path(path_type=Path), help="Write into this folder.")
@click.pass_context
def command(ctx: click.Context, check: bool, images: Path | None, folder: Path | None) -> None:
    """Write the pipelines as Kubernetes resources into manifests/.

    What is committed there names the images of components/images.toml. For those of another registry, compile with
    --images into a folder of their own, and let that environment's overlay take its pipelines from there.
    """
    if images and not folder:
        raise click.UsageError("--images: found no --out, expected the folder for pipelines with these images")
    if images:
        os.environ[IMAGES_VARIABLE] = str(images)  # before the components are imported, which name their images
    from pipelines.compiled import compiled_images, compiled_order, compiled_resources

    resources = compiled_resources(folder) if folder else [*compiled_resources(), *compiled_images(), compiled_order()]
    stale = [resource for resource in resources if resource.is_stale]
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
