"""GitHub, in the cloud and on a server of one's own."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from components.gitops.forges.api import PAGE, ForgeApi, ForgeError, repository_path
from components.gitops.forges.forge import GATE, PullRequest, State
from components.gitops.settings import GitSettings

INVALID = 422
SCOPES = "a fine-grained token with Contents, Pull requests and Commit statuses: read and write"
VERSION = "2022-11-28"
MAX_LETTERS = 140  # of a status' description


@dataclass(frozen=True)
class GitHub:
    """Pull requests of a repository on GitHub."""

    api: ForgeApi
    repository: str
    base: str

    @staticmethod
    def connect(settings: GitSettings) -> "GitHub":
        """Return the forge of a repository; nothing is asked yet."""
        host = urlsplit(settings.url).hostname
        api = settings.api_url or ("https://api.github.com" if host == "github.com" else f"https://{host}/api/v3")
        headers = {"Authorization": f"Bearer {settings.token()}", "X-GitHub-Api-Version": VERSION}
        headers["Accept"] = "application/vnd.github+json"
        return GitHub(ForgeApi(settings, api, headers, SCOPES), repository_path(settings, api), settings.branch)

    def open_requests(self) -> list[PullRequest]:
        """Return all open pull requests to the branch."""
        documents = self.api.pages(f"{self._path}/pulls", state="open", base=self.base, per_page=PAGE)
        return [_request(each) for each in documents if self._is_ours(each)]

    def newest(self, branch: str) -> PullRequest | None:
        """Return the pull request that was opened last for a branch."""
        head = f"{self.repository.partition('/')[0]}:{branch}"
        query = {"state": "all", "head": head, "base": self.base, "sort": "created", "direction": "desc"}
        for each in self.api.pages(f"{self._path}/pulls", **query, per_page=PAGE):
            if each["head"]["ref"] == branch and self._is_ours(each):
                return _request(each)
        return None

    def open(self, branch: str, title: str, text: str) -> PullRequest:
        """Open a pull request; if there is an open one for the branch, return that."""
        body = {"title": title, "head": branch, "base": self.base, "body": text}
        try:
            return _request(self.api.send("POST", f"{self._path}/pulls", body))
        except ForgeError as error:
            newest = self.newest(branch) if error.status == INVALID else None
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
        body = {"state": "success", "context": GATE, "description": description[:MAX_LETTERS]}
        self.api.send("POST", f"{self._path}/statuses/{commit}", body | ({"target_url": link} if link else {}))

    @property
    def _path(self) -> str:
        return f"/repos/{quote(self.repository)}"

    def _is_ours(self, document: dict[str, Any]) -> bool:
        """Return whether a pull request comes from the repository itself: a fork's branch may be called the same."""
        home = document["head"].get("repo") or {}
        return str(home.get("full_name", "")).lower() == self.repository.lower()


def _request(document: dict[str, Any]) -> PullRequest:
    state: State = "merged" if document.get("merged_at") else document["state"]
    text = document.get("body") or ""
    return PullRequest(document["number"], document["head"]["ref"], state, document["html_url"], text)
