"""Gitea's API."""

from collections.abc import Mapping

from tests.forges.forge import (
    FLAG,
    INTEGER,
    INTEGERS,
    TEXT,
    TEXTS,
    Answer,
    Document,
    Forge,
    Operation,
    Request,
    body,
    one_of,
)


class Gitea(Forge):
    """The API of Gitea and Forgejo."""

    name = "gitea"
    base = "/api/v1"
    operations = (
        Operation(
            "list_pull_requests",
            "GET",
            "/repos/shop/deploy/pulls",
            {
                "state": one_of("open", "closed", "all"),
                "sort": one_of(
                    "oldest", "recentupdate", "recentclose", "leastupdate", "mostcomment", "leastcomment", "priority"
                ),
                "milestone": INTEGER,
                "labels": TEXT,
                "page": INTEGER,
                "limit": INTEGER,
            },
        ),
        Operation(
            "create_pull_request",
            "POST",
            "/repos/shop/deploy/pulls",
            body=body(
                assignee=TEXT,
                assignees=TEXTS,
                base=TEXT,
                body=TEXT,
                due_date=TEXT,
                head=TEXT,
                labels=INTEGERS,
                milestone=INTEGER,
                title=TEXT,
                reviewers=TEXTS,
                team_reviewers=TEXTS,
            ),
        ),
        Operation(
            "edit_pull_request",
            "PATCH",
            r"/repos/shop/deploy/pulls/(\d+)",
            body=body(
                allow_maintainer_edit=FLAG,
                assignee=TEXT,
                assignees=TEXTS,
                base=TEXT,
                body=TEXT,
                due_date=TEXT,
                labels=INTEGERS,
                milestone=INTEGER,
                state=TEXT,
                title=TEXT,
                unset_due_date=FLAG,
            ),
        ),
        Operation(
            "create_comment",
            "POST",
            r"/repos/shop/deploy/issues/(\d+)/comments",
            body=body(("body",), body=TEXT, updated_at=TEXT),
        ),
        Operation(
            "create_status",
            "POST",
            "/repos/shop/deploy/statuses/([0-9a-f]{40})",
            body=body(
                state=one_of("pending", "success", "error", "failure", "warning", "skipped"),
                target_url=TEXT,
                description=TEXT,
                context=TEXT,
            ),
        ),
        Operation(
            "list_files",
            "GET",
            r"/repos/shop/deploy/pulls/(\d+)/files",
            {"skip-to": TEXT, "whitespace": TEXT, "page": INTEGER, "limit": INTEGER},
        ),
        Operation(
            "merge_pull_request",
            "POST",
            r"/repos/shop/deploy/pulls/(\d+)/merge",
            body=body(
                ("Do",),
                Do=one_of("merge", "rebase", "rebase-merge", "squash", "fast-forward-only", "manually-merged"),
                MergeCommitID=TEXT,
                MergeMessageField=TEXT,
                MergeTitleField=TEXT,
                delete_branch_after_merge=FLAG,
                force_merge=FLAG,
                head_commit_id=TEXT,
                merge_when_checks_succeed=FLAG,
            ),
        ),
        Operation(
            "list_statuses",
            "GET",
            "/repos/shop/deploy/commits/([0-9a-f]{40})/statuses",
            {
                "sort": one_of("oldest", "recentupdate", "leastupdate", "leastindex", "highestindex"),
                "state": one_of("pending", "success", "error", "failure", "warning"),
                "page": INTEGER,
                "limit": INTEGER,
            },
        ),
    )

    def list_files(self, number: str, query: Document) -> Answer:
        files = [{"filename": path} for path in self.changed(self.number(number))]
        return self.page(files, query, "limit", 50)

    def merge_pull_request(self, number: str, form: Document) -> Answer:
        request = self.number(number)
        if form.get("head_commit_id") not in (None, self.repository.head(request.branch)):
            return Answer(409, {"message": "head out of date"})
        return Answer(200) if self.merge(request) else Answer(405, {"message": "Please try again later"})

    def list_statuses(self, commit: str, query: Document) -> Answer:
        statuses = [{"id": number, "context": context, "status": state} for number, context, state in self.of(commit)]
        return self.page(statuses[::-1], query, "limit", 50)

    def is_known(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request shows the token."""
        return headers.get("Authorization") == f"token {self.token}"

    def list_pull_requests(self, query: Document) -> Answer:
        state = query.get("state", "open")
        asked = [each for each in self.requests if state == "all" or (each.state == "open") == (state == "open")]
        there = set(self.repository.branches())
        return self.page([self.document(each, each.branch in there) for each in asked], query, "limit", 50)

    def create_pull_request(self, form: Document) -> Answer:
        branch = form["head"]
        if not self.repository.head(branch):
            return Answer(404, {"message": "The target couldn't be found."})
        if self.is_open(branch):
            return Answer(409, {"message": f"pull request already exists for these targets [head_branch: {branch}]"})
        return Answer(201, self.document(self.opened(branch, form["title"], form.get("body", ""))))

    def edit_pull_request(self, number: str, form: Document) -> Answer:
        request = self.number(number)
        request.title, request.text = form.get("title", request.title), form.get("body", request.text)
        request.state = form.get("state", request.state)
        return Answer(201, self.document(request))

    def create_comment(self, number: str, form: Document) -> Answer:
        self.number(number).comments.append(form["body"])
        return Answer(201, {"id": 1, "body": form["body"]})

    def create_status(self, commit: str, form: Document) -> Answer:
        if not self.has_commit(commit):
            return Answer(404, {"message": "object does not exist"})
        self.statuses.append((commit, form["context"], form["state"]))
        return Answer(201, {"status": form["state"]})

    def document(self, request: Request, has_branch: bool = True) -> Document:
        """Return a pull request as Gitea shows it; of one whose branch was deleted, the ref is another."""
        owner = "somebody" if request.from_fork else "shop"
        ref = request.branch if has_branch else f"refs/pull/{request.number}/head"
        return {
            "number": request.number,
            "state": "open" if request.state == "open" else "closed",
            "merged": request.state == "merged",
            "merged_at": "2026-01-01T00:00:00Z" if request.state == "merged" else None,
            "title": request.title,
            "body": request.text,
            "html_url": f"https://gitea.test/shop/deploy/pulls/{request.number}",
            "head": {
                "label": request.branch,
                "ref": ref,
                "sha": self.repository.head(request.branch),
                "repo": {"full_name": f"{owner}/deploy"},
            },
            "base": {"label": "main", "ref": "main", "repo": {"full_name": "shop/deploy"}},
        }
