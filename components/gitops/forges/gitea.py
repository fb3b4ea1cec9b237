"""Gitea and Forgejo, whose APIs are the same here."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from components.gitops.forges.api import PAGE, ForgeApi, ForgeError, repository_path
from components.gitops.forges.forge import GATE, PullRequest, State
from components.gitops.settings import GitSettings

CONFLICT = 409
SCOPES = "the scopes write:repository and write:issue"


@dataclass(frozen=True)
class Gitea:
    """Pull requests of a repository on Gitea or Forgejo."""

    api: ForgeApi
    repository: str
    base: str

    @staticmethod
    def connect(settings: GitSettings) -> "Gitea":
        """Return the forge of a repository; nothing is asked yet."""
        api = settings.api_url or f"https://{urlsplit(settings.url).hostname}/api/v1"
        headers = {"Authorization": f"token {settings.token()}"}
        return Gitea(ForgeApi(settings, api, headers, SCOPES), repository_path(settings, api), settings.branch)

    def open_requests(self) -> list[PullRequest]:
        """Return all open pull requests to the branch."""
        documents = self.api.pages(f"{self._path}/pulls", state="open", limit=PAGE)
        return [_request(each) for each in documents if self._is_ours(each)]

    def newest(self, branch: str) -> PullRequest | None:
        """Return the pull request that was opened last for a branch; the API cannot search by it."""
        requests = [
            _request(each)
            for each in self.api.pages(f"{self._path}/pulls", state="all", limit=PAGE)
            if _branch(each) == branch and self._is_ours(each)
        ]
        return max(requests, key=lambda request: request.number, default=None)

    def open(self, branch: str, title: str, text: str) -> PullRequest:
        """Open a pull request; if there is an open one for the branch, return that."""
        body = {"title": title, "head": branch, "base": self.base, "body": text}
        try:
            return _request(self.api.send("POST", f"{self._path}/pulls", body))
        except ForgeError as error:
            newest = self.newest(branch) if error.status == CONFLICT else None
            if newest is None or newest.state != "open":
                raise
            return newest

    def edit(self, number: int, title: str, text: str) -> None:
        """Replace the title and the text of a pull request."""
        self.api.send("PATCH", f"{self._path}/pulls/{number}", {"title": title, "body": text})

    def close(self, request: PullRequest, text: str, comment: str) -> None:
        """Close a pull request with a new text, and say why in a comment."""
        self.api.send("PATCH", f"{self._path}/pulls/{request.number}", {"state": "closed", "body": text})
        self.api.send("POST", f"{self._path}/issues/{request.number}/comments", {"body": comment})

    def set_gate(self, commit: str, description: str, link: str | None) -> None:
        """Set the status ``rankloop/gate`` of a commit to success."""
        body = {"state": "success", "context": GATE, "description": description}
        self.api.send("POST", f"{self._path}/statuses/{commit}", body | ({"target_url": link} if link else {}))

    @property
    def _path(self) -> str:
        return f"/repos/{quote(self.repository)}"

    def _is_ours(self, document: dict[str, Any]) -> bool:
        home = document["head"].get("repo") or {}
        from_here = str(home.get("full_name", "")).lower() == self.repository.lower()
        return bool(document["base"]["ref"] == self.base and from_here)


def _request(document: dict[str, Any]) -> PullRequest:
    state: State = "merged" if document.get("merged") else document["state"]
    text = document.get("body") or ""
    return PullRequest(document["number"], _branch(document), state, document["html_url"], text)


def _branch(document: dict[str, Any]) -> str:
    """Return the branch of a pull request; where it was deleted, its ``ref`` is another."""
    return str(document["head"]["label"])
