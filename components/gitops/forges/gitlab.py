"""GitLab, in the cloud and on a server of one's own; its pull requests are called merge requests."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from components.gitops.forges.api import PAGE, ForgeApi, ForgeError, repository_path
from components.gitops.forges.forge import Outcome, PullRequest, State, Status
from components.gitops.settings import GitSettings

BAD_REQUEST = 400
SCOPES = "the scope api, of a project access token with the role Developer"
STATES: dict[str, State] = {"opened": "open", "locked": "open", "closed": "closed", "merged": "merged"}
STATUS_STATES: dict[Outcome, str] = {"success": "success", "pending": "pending", "failure": "failed"}
OUTCOMES = {state: outcome for outcome, state in STATUS_STATES.items()}
MAX_LETTERS = 255  # of a status' description


@dataclass(frozen=True)
class GitLab:
    """Merge requests of a project on GitLab."""

    api: ForgeApi
    project: str
    base: str

    @staticmethod
    def connect(settings: GitSettings) -> "GitLab":
        """Return the forge of a repository; nothing is asked yet."""
        api = settings.api_url or f"https://{urlsplit(settings.url).hostname}/api/v4"
        headers = {"PRIVATE-TOKEN": str(settings.token())}
        return GitLab(ForgeApi(settings, api, headers, SCOPES), repository_path(settings, api), settings.branch)

    def open_requests(self) -> list[PullRequest]:
        """Return all open merge requests to the branch."""
        documents = self.api.pages(
            f"{self._path}/merge_requests", state="opened", target_branch=self.base, per_page=PAGE
        )
        return [_request(each) for each in documents if _is_own(each)]

    def newest(self, branch: str) -> PullRequest | None:
        """Return the merge request that was opened last for a branch."""
        query = {"source_branch": branch, "target_branch": self.base, "order_by": "created_at", "sort": "desc"}
        for each in self.api.pages(f"{self._path}/merge_requests", **query, per_page=PAGE):
            if _is_own(each):
                return _request(each)
        return None

    def open(self, branch: str, title: str, text: str) -> PullRequest:
        """Open a merge request; it is refused if there is an open one for the branch."""
        body = {"source_branch": branch, "target_branch": self.base, "title": title, "description": text}
        return _request(self.api.send("POST", f"{self._path}/merge_requests", body))

    def edit(self, number: int, title: str, text: str) -> None:
        """Replace the title and the text of a merge request."""
        self.api.send("PUT", f"{self._path}/merge_requests/{number}", {"title": title, "description": text})

    def close(self, request: PullRequest, text: str, comment: str) -> None:
        """Close a merge request with a new text, and say why in a comment."""
        path = f"{self._path}/merge_requests/{request.number}"
        self.api.send("PUT", path, {"state_event": "close", "description": text})
        self.api.send("POST", f"{path}/notes", {"body": comment})

    def merge(self, request: PullRequest, head: str) -> None:
        """Merge a merge request as one commit, if the head of its branch is still this commit."""
        body = {"sha": head, "squash": True}
        self.api.send("PUT", f"{self._path}/merge_requests/{request.number}/merge", body)

    def open_heads(self) -> list[tuple[int, str]]:
        """Return the number and the head of all open merge requests to the branch, those of forks too."""
        query = {"state": "opened", "target_branch": self.base}
        documents = self.api.pages(f"{self._path}/merge_requests", **query, per_page=PAGE)
        return [(each["iid"], str(each["sha"])) for each in documents]

    def changed_paths(self, number: int) -> Iterator[str]:
        """Yield the paths that a merge request changes, of a renamed file both."""
        for each in self.api.pages(f"{self._path}/merge_requests/{number}/diffs", per_page=PAGE):
            yield from {each["new_path"], each["old_path"]}

    def outcome(self, commit: str, context: str) -> str | None:
        """Return the newest outcome of a status; None where there is none."""
        path = f"{self._path}/repository/commits/{commit}/statuses"
        statuses = list(self.api.pages(path, name=context, per_page=PAGE))
        newest = max(statuses, key=lambda each: int(each["id"]), default=None)
        return None if newest is None else OUTCOMES.get(newest["status"], newest["status"])

    def set_status(self, commit: str, status: Status) -> None:
        """Set a status of a commit; GitLab refuses one that the commit has already."""
        words = {"name": status.context, "description": status.description[:MAX_LETTERS]}
        body = {"state": STATUS_STATES[status.outcome]} | words | ({"target_url": status.link} if status.link else {})
        try:
            self.api.send("POST", f"{self._path}/statuses/{commit}", body)
        except ForgeError as error:
            if error.status != BAD_REQUEST or "transition" not in str(error):
                raise

    @property
    def _path(self) -> str:
        return f"/projects/{quote(self.project, safe='')}"


def _is_own(document: dict[str, Any]) -> bool:
    """Return whether a merge request comes from the project itself, and not from a fork."""
    return bool(document["source_project_id"] == document["target_project_id"])


def _request(document: dict[str, Any]) -> PullRequest:
    state, text = STATES[document["state"]], document.get("description") or ""
    return PullRequest(document["iid"], document["source_branch"], state, document["web_url"], text)
