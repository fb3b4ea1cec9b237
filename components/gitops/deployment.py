"""The pull request that deploys code: the digests of images, the pipelines compiled with them, what they render to.

A checkout holds them as changed files. There is one such pull request at a time, on top of the branch's last commit.
"""

import subprocess
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from components.contracts.errors import ConfigurationError, PromotionError
from components.gitops.forges.api import ForgeError
from components.gitops.forges.forge import GATE, Forge, Status, open_request
from components.gitops.remote import Author, OutrunError, Remote, Snapshot
from components.gitops.request_text import closed_text

BRANCH = "rankloop/deployment"
PLACES = ("components/images.toml", "manifests")


@dataclass(frozen=True)
class Deployment:
    """What a checkout changes: contents by path, None for a file that is gone."""

    revision: str  # the commit that is checked out
    files: dict[str, bytes | None]

    @property
    def title(self) -> str:
        """Return the first line of the commit, and the title of the pull request."""
        return f"Deploy the images and pipelines of {self.revision[:12]}"

    @property
    def text(self) -> str:
        """Return the description of the pull request."""
        lines = [line for line in (self.files.get(PLACES[0]) or b"").decode().splitlines() if "@sha256:" in line]
        images = ["```toml", *lines, "```"] if lines else ["The images stay the same."]
        return "\n".join(
            [
                f"Made from {self.revision}: {len(self.files)} files of `components/images.toml` and `manifests/`.",
                "",
                *images,
                "",
                "- **Merging** deploys new pipeline versions, then a canary of the service, then the schedules.",
                "- **Reverting** takes all of it back in the same order.",
                "- **Closing** leaves what is deployed; the next merge that changes it proposes again.",
            ]
        )


def changed_files(checkout: Path) -> Deployment:
    """Read what a checkout changes in the places that are deployed.

    Raises:
        ConfigurationError: it is no checkout.
    """
    tracked = _git(checkout, "diff", "--name-only", "--no-renames", "-z", "HEAD", "--", *PLACES)
    new = _git(checkout, "ls-files", "--others", "--exclude-standard", "-z", "--", *PLACES)
    paths = sorted(path for path in (tracked + new).split("\0") if path)
    files = {path: (checkout / path).read_bytes() if (checkout / path).exists() else None for path in paths}
    return Deployment(_git(checkout, "rev-parse", "HEAD").strip(), files)


def propose(deployment: Deployment, remote: Remote, forge: Forge | None, now: datetime) -> str:
    """Open the pull request of a deployment, or bring the open one up to date; return a sentence about it.

    The open one of an earlier commit is closed where there is nothing to deploy any more.

    Raises:
        PromotionError: the server or the forge refuses or cannot be reached.
    """
    snapshot = remote.fetch(BRANCH)
    if snapshot.tip.decode() != deployment.revision:
        tip = snapshot.tip.decode()[:12]
        return f"{remote.settings.place} is at {tip} by now, whose own run proposes what to deploy; nothing was done"
    if not deployment.files:
        _close_stale(snapshot, remote, forge)
        return f"{remote.settings.place} deploys the images and pipelines of its code already; nothing to propose"
    author = Author(remote.settings.author, now)
    commit, objects = snapshot.with_files(deployment.files, deployment.title, author)
    remote.push(BRANCH, snapshot.heads.get(BRANCH), commit, objects)
    if forge is None:
        return f"pushed {BRANCH} to {remote.settings.place}; merge it to deploy"
    try:
        request = open_request(forge, BRANCH, deployment.title, deployment.text)
    except ForgeError as error:
        if error.is_refusal and BRANCH not in snapshot.heads:  # no branch without a pull request is left
            with suppress(PromotionError):
                remote.push(BRANCH, commit, None, [])
        raise
    forge.edit(request.number, deployment.title, deployment.text)
    forge.set_status(commit.decode(), Status(GATE, "success", "changes no bundle"))
    return f"{deployment.title}: {request.link}"


def _close_stale(snapshot: Snapshot, remote: Remote, forge: Forge | None) -> None:
    """Delete the branch of a deployment that was overtaken, and close its pull request."""
    head = snapshot.heads.get(BRANCH)
    if head is None:
        return
    request = forge.newest(BRANCH) if forge else None
    try:
        remote.push(BRANCH, head, None, [])
    except OutrunError:  # a newer run has proposed what to deploy
        return
    if forge and request and request.state == "open":
        why = f"the code at {snapshot.tip.decode()[:12]} is deployed as it is, so nothing is left to merge."
        forge.close(request, closed_text(request.text, why), why)


def _git(checkout: Path, *words: str) -> str:
    finished = subprocess.run(["git", "-C", checkout, *words], capture_output=True, text=True, check=False)
    if finished.returncode:
        raise ConfigurationError(f"{checkout}: found no checkout of a repository ({finished.stderr.strip()})")
    return finished.stdout
