"""Gitea and Forgejo, whose APIs are the same here."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from components.gitops.forges.api import PAGE, ForgeApi, repository_path
from components.gitops.forges.forge import PullRequest
from components.gitops.forges.pulls import Pulls
from components.gitops.settings import GitSettings

SCOPES = "the scopes write:repository and write:issue"


class Gitea(Pulls):
    """Pull requests of a repository on Gitea or Forgejo; their API cannot search by branch."""

    page_size: ClassVar[str] = "limit"

    @staticmethod
    def connect(settings: GitSettings) -> "Gitea":
        """Return the forge of a repository; nothing is asked yet."""
        api = settings.api_url or f"https://{urlsplit(settings.url).hostname}/api/v1"
        headers = {"Authorization": f"token {settings.token()}"}
        return Gitea(ForgeApi(settings, api, headers, SCOPES), repository_path(settings, api), settings.branch)

    def merge(self, request: PullRequest, head: str) -> None:
        """Merge a pull request as one commit, if the head of its branch is still this commit."""
        body = {"Do": "squash", "head_commit_id": head}
        self.api.send("POST", f"{self._path}/pulls/{request.number}/merge", body)

    def open_requests(self) -> list[PullRequest]:
        """Return all open pull requests to the branch."""
        return self._requests("open")

    def newest(self, branch: str) -> PullRequest | None:
        """Return the pull request that was opened last for a branch."""
        requests = [request for request in self._requests("all") if request.branch == branch]
        return max(requests, key=lambda request: request.number, default=None)

    def _requests(self, state: str) -> list[PullRequest]:
        documents = self.api.pages(f"{self._path}/pulls", state=state, limit=PAGE)
        return [self._request(each) for each in documents if each["base"]["ref"] == self.base and self._is_ours(each)]

    @staticmethod
    def _branch(document: dict[str, Any]) -> str:
        """Return the branch of a pull request; where it was deleted, its ``ref`` is another."""
        return str(document["head"]["label"])
