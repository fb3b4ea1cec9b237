"""What the APIs of GitHub and Gitea have in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from components.gitops.forges.api import PAGE, ForgeApi
from components.gitops.forges.forge import PullRequest, State, Status


@dataclass(frozen=True)
class Pulls:
    """Pull requests of one repository to one branch."""

    api: ForgeApi
    repository: str
    base: str
    max_description: ClassVar[int | None] = None  # letters of a status
    page_size: ClassVar[str]  # the parameter that asks for a page's length

    def open(self, branch: str, title: str, text: str) -> PullRequest:
        """Open a pull request; it is refused if there is an open one for the branch."""
        body = {"title": title, "head": branch, "base": self.base, "body": text}
        return self._request(self.api.send("POST", f"{self._path}/pulls", body))

    def edit(self, number: int, title: str, text: str) -> None:
        """Replace the title and the text of a pull request."""
        self.api.send("PATCH", f"{self._path}/pulls/{number}", {"title": title, "body": text})

    def close(self, request: PullRequest, text: str, comment: str) -> None:
        """Close a pull request with a new text, and say why in a comment."""
        self.api.send("PATCH", f"{self._path}/pulls/{request.number}", {"state": "closed", "body": text})
        self.api.send("POST", f"{self._path}/issues/{request.number}/comments", {"body": comment})

    def open_heads(self) -> list[tuple[int, str]]:
        """Return the number and the head of all open pull requests to the branch, those of forks too."""
        documents = self.api.pages(f"{self._path}/pulls", state="open", **{self.page_size: PAGE})
        return [(each["number"], str(each["head"]["sha"])) for each in documents if each["base"]["ref"] == self.base]

    def changed_paths(self, number: int) -> Iterator[str]:
        """Yield the paths that a pull request changes, of a renamed file both."""
        for each in self.api.pages(f"{self._path}/pulls/{number}/files", **{self.page_size: PAGE}):
            yield from {each["filename"], each.get("previous_filename") or each["filename"]}

    def outcome(self, commit: str, context: str) -> str | None:
        """Return the newest outcome of a status; None where there is none."""
        statuses = self.api.pages(f"{self._path}/commits/{commit}/statuses", **{self.page_size: PAGE})
        ours = (each for each in statuses if each["context"] == context)
        newest = max(ours, key=lambda each: int(each["id"]), default=None)
        return None if newest is None else str(newest.get("state") or newest.get("status"))

    def set_status(self, commit: str, status: Status) -> None:
        """Set a status of a commit."""
        body = {"state": status.outcome, "context": status.context}
        body["description"] = status.description[: self.max_description]
        link = {"target_url": status.link} if status.link else {}
        self.api.send("POST", f"{self._path}/statuses/{commit}", body | link)

    @property
    def _path(self) -> str:
        return f"/repos/{quote(self.repository)}"

    def _is_ours(self, document: dict[str, Any]) -> bool:
        """Return whether a pull request comes from the repository itself: a fork's branch may be called the same."""
        home = document["head"].get("repo") or {}
        return str(home.get("full_name", "")).lower() == self.repository.lower()

    @staticmethod
    def _branch(document: dict[str, Any]) -> str:
        return str(document["head"]["ref"])

    def _request(self, document: dict[str, Any]) -> PullRequest:
        state: State = "merged" if document.get("merged_at") else document["state"]
        text = document.get("body") or ""
        return PullRequest(document["number"], self._branch(document), state, document["html_url"], text)
