"""``rankloop propose``: the pull request that deploys what `compile` and `render` have written."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from components.contracts.errors import ConfigurationError


@click.command("propose")
def command() -> None:
    """Open the pull request that deploys images, pipelines and manifests, from the checkout in this folder.

    It holds what differs from the last commit in components/images.toml and manifests/. RANKLOOP_GIT_URL names the
    repository.
    """
    from components.gitops.deployment import changed_files, propose
    from components.gitops.places import open_forge
    from components.gitops.remote import Remote
    from components.gitops.settings import URL, repository_settings

    settings = repository_settings(os.environ)
    if settings is None:
        raise ConfigurationError(f"{URL}: found nothing, expected the repository that the pull request goes to")
    deployment = changed_files(Path.cwd())
    click.echo(propose(deployment, Remote(settings), open_forge(settings), datetime.now(UTC)))
