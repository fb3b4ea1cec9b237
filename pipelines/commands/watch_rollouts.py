"""``rankloop watch-rollouts``: Git follows what becomes of canaries."""

import os

import click

from pipelines.terminal.options import environment_option


@click.command("watch-rollouts")
@environment_option
@click.option("--namespace", default="rankloop", show_default=True, help="Where the Rollout of the service is.")
@click.option("--once", is_flag=True, help="Look once, and end.")
def command(environment: str, namespace: str, once: bool) -> None:
    """Take a bundle whose canary failed out of Git, by a pull request, and say at commits what became of them.

    Runs for ever, in a pod of its own. RANKLOOP_GIT_URL names the repository. What cannot be reached is tried again.
    """
    from pipelines.cluster.watching import Watching, say

    watching = Watching(environment, namespace, os.environ)
    if once:
        watching.look()
    else:
        say(f"watches the Rollout of {environment} in the namespace {namespace}")
        watching.run()
