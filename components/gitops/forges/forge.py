"""A forge as proposals use it."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

from components.gitops.forges.api import ForgeError

State = Literal["open", "closed", "merged"]
Outcome = Literal["success", "pending", "failure"]
GATE = "rankloop/gate"  # the commit status that says what the gate decided
LIVE = "rankloop/live"  # the one that says what became of the canary


@dataclass(frozen=True)
class PullRequest:
    """A pull request, or a merge request as GitLab calls it; ``text`` is its description."""

    number: int
    branch: str
    state: State
    link: str
    text: str


@dataclass(frozen=True)
class Status:
    """A status of a commit, as branch protection and other tools read it."""

    context: str  # GATE or LIVE
    outcome: Outcome
    description: str
    link: str | None = None


class Forge(Protocol):
    """Pull requests to the branch of one repository.

    Every method raises a ForgeError where the forge refuses or cannot be reached.
    """

    def open_requests(self) -> list[PullRequest]:
        """Return all open pull requests to the branch."""

    def open_heads(self) -> list[tuple[int, str]]:
        """Return the number and the head of all open pull requests to the branch, those of forks too."""

    def changed_paths(self, number: int) -> Iterator[str]:
        """Yield the paths that a pull request changes, of a renamed file both."""

    def newest(self, branch: str) -> PullRequest | None:
        """Return the pull request that was opened last for a branch, in any state."""

    def open(self, branch: str, title: str, text: str) -> PullRequest:
        """Open a pull request; it is refused if there is an open one for the branch."""

    def edit(self, number: int, title: str, text: str) -> None:
        """Replace the title and the text of a pull request."""

    def close(self, request: PullRequest, text: str, comment: str) -> None:
        """Close a pull request with a new text, and say why in a comment."""

    def merge(self, request: PullRequest, head: str) -> None:
        """Merge a pull request as one commit, if the head of its branch is still this commit."""

    def outcome(self, commit: str, context: str) -> str | None:
        """Return the newest outcome of a status, in Rankloop's words if it has one; None where there is none."""

    def set_status(self, commit: str, status: Status) -> None:
        """Set a status of a commit."""


def open_request(forge: Forge, branch: str, title: str, text: str) -> PullRequest:
    """Open a pull request, or return the open one of the branch: that of somebody else, or one whose answer was lost.

    Raises:
        ForgeError: there is none, or there may be one that the forge does not show yet.
    """
    try:
        return forge.open(branch, title, text)
    except ForgeError:
        newest = None
        with suppress(ForgeError):
            newest = forge.newest(branch)
        if newest is None or newest.state != "open":
            raise
        return newest
