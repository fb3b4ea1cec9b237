"""GitHub, in the cloud and on a server of one's own."""

from typing import ClassVar
from urllib.parse import urlsplit

from components.gitops.forges.api import PAGE, ForgeApi, repository_path
from components.gitops.forges.forge import PullRequest
from components.gitops.forges.pulls import Pulls
from components.gitops.settings import GitSettings

SCOPES = "a fine-grained token with Contents, Pull requests and Commit statuses: read and write"
VERSION = "2022-11-28"


class GitHub(Pulls):
    """Pull requests of a repository on GitHub."""

    max_description: ClassVar[int | None] = 140
    page_size: ClassVar[str] = "per_page"

    @staticmethod
    def connect(settings: GitSettings) -> "GitHub":
        """Return the forge of a repository; nothing is asked yet."""
        host = urlsplit(settings.url).hostname
        api = settings.api_url or ("https://api.github.com" if host == "github.com" else f"https://{host}/api/v3")
        headers = {"Authorization": f"Bearer {settings.token()}", "X-GitHub-Api-Version": VERSION}
        headers["Accept"] = "application/vnd.github+json"
        return GitHub(ForgeApi(settings, api, headers, SCOPES), repository_path(settings, api), settings.branch)

    def merge(self, request: PullRequest, head: str) -> None:
        """Merge a pull request as one commit, if the head of its branch is still this commit."""
        self.api.send("PUT", f"{self._path}/pulls/{request.number}/merge", {"sha": head, "merge_method": "squash"})

    def open_requests(self) -> list[PullRequest]:
        """Return all open pull requests to the branch."""
        documents = self.api.pages(f"{self._path}/pulls", state="open", base=self.base, per_page=PAGE)
        return [self._request(each) for each in documents if self._is_ours(each)]

    def newest(self, branch: str) -> PullRequest | None:
        """Return the pull request that was opened last for a branch."""
        head = f"{self.repository.partition('/')[0]}:{branch}"
        query = {"state": "all", "head": head, "base": self.base, "sort": "created", "direction": "desc"}
        for each in self.api.pages(f"{self._path}/pulls", **query, per_page=PAGE):
            if self._branch(each) == branch and self._is_ours(each):
                return self._request(each)
        return None
