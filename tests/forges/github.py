"""GitHub's API."""

from collections.abc import Mapping

from tests.forges.forge import FLAG, INTEGER, TEXT, Answer, Document, Forge, Operation, Request, body, one_of


class GitHub(Forge):
    """GitHub's API."""

    name = "github"
    base = "/api/v3"
    operations = (
        Operation(
            "pulls_list",
            "GET",
            "/repos/shop/deploy/pulls",
            {
                "state": one_of("open", "closed", "all"),
                "head": TEXT,
                "base": TEXT,
                "sort": one_of("created", "updated", "popularity", "long-running"),
                "direction": one_of("asc", "desc"),
                "per_page": INTEGER | {"maximum": 100},
                "page": INTEGER,
            },
        ),
        Operation(
            "pulls_create",
            "POST",
            "/repos/shop/deploy/pulls",
            body=body(
                ("head", "base"),
                title=TEXT,
                head=TEXT,
                head_repo=TEXT,
                base=TEXT,
                body=TEXT,
                maintainer_can_modify=FLAG,
                draft=FLAG,
                issue=INTEGER,
            ),
        ),
        Operation(
            "pulls_update",
            "PATCH",
            r"/repos/shop/deploy/pulls/(\d+)",
            body=body(title=TEXT, body=TEXT, state=one_of("open", "closed"), base=TEXT, maintainer_can_modify=FLAG),
        ),
        Operation(
            "issues_create_comment",
            "POST",
            r"/repos/shop/deploy/issues/(\d+)/comments",
            body=body(("body",), body=TEXT),
        ),
        Operation(
            "repos_create_commit_status",
            "POST",
            "/repos/shop/deploy/statuses/([0-9a-f]{40})",
            body=body(
                ("state",),
                state=one_of("error", "failure", "pending", "success"),
                target_url=TEXT,
                description=TEXT | {"maxLength": 140},
                context=TEXT,
            ),
        ),
        Operation(
            "pulls_list_files",
            "GET",
            r"/repos/shop/deploy/pulls/(\d+)/files",
            {"per_page": INTEGER | {"maximum": 100}, "page": INTEGER},
        ),
        Operation(
            "pulls_merge",
            "PUT",
            r"/repos/shop/deploy/pulls/(\d+)/merge",
            body=body(
                commit_title=TEXT, commit_message=TEXT, sha=TEXT, merge_method=one_of("merge", "squash", "rebase")
            ),
        ),
        Operation(
            "repos_list_commit_statuses_for_ref",
            "GET",
            "/repos/shop/deploy/commits/([0-9a-f]{40})/statuses",
            {"per_page": INTEGER | {"maximum": 100}, "page": INTEGER},
        ),
    )

    def pulls_list_files(self, number: str, query: Document) -> Answer:
        files = [{"filename": path} for path in self.changed(self.number(number))]
        return self.page(files, query, "per_page", 100)

    def pulls_merge(self, number: str, form: Document) -> Answer:
        request = self.number(number)
        if form.get("sha") not in (None, self.repository.head(request.branch)):
            return Answer(409, {"message": "Head branch was modified. Review and try the merge again."})
        made = self.merge(request)
        if made is None:
            return Answer(405, {"message": "Pull Request is not mergeable"})
        return Answer(200, {"sha": made, "merged": True, "message": "Pull Request successfully merged"})

    def repos_list_commit_statuses_for_ref(self, commit: str, query: Document) -> Answer:
        statuses = [{"id": number, "context": context, "state": state} for number, context, state in self.of(commit)]
        return self.page(statuses[::-1], query, "per_page", 100)

    def is_known(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request shows the token, and names its client and the version."""
        named = headers.get("User-Agent") and headers.get("X-GitHub-Api-Version") == "2022-11-28"
        return bool(named) and headers.get("Authorization") == f"Bearer {self.token}"

    def pulls_list(self, query: Document) -> Answer:
        asked = [each for each in reversed(self.requests) if self._is_asked(each, query)]
        return self.page([self.document(each) for each in asked], query, "per_page", 100)

    def _is_asked(self, request: Request, query: Document) -> bool:
        state = query.get("state", "open")
        owner = "somebody" if request.from_fork else "shop"
        is_state = state == "all" or (request.state == "open") == (state == "open")
        return (
            is_state
            and query.get("head") in (None, f"{owner}:{request.branch}")
            and query.get("base", "main") == "main"
        )

    def pulls_create(self, form: Document) -> Answer:
        branch, head = form["head"], self.repository.head(form["head"])
        why = None
        if not head:
            why = {"field": "head", "code": "invalid"}
        elif self.is_open(branch):
            why = {"code": "custom", "message": f"A pull request already exists for shop:{branch}."}
        elif head == self.repository.head("main"):
            why = {"code": "custom", "message": f"No commits between main and {branch}"}
        if why:
            return Answer(422, {"message": "Validation Failed", "errors": [{"resource": "PullRequest"} | why]})
        return Answer(201, self.document(self.opened(branch, form.get("title", ""), form.get("body", ""))))

    def pulls_update(self, number: str, form: Document) -> Answer:
        request = self.number(number)
        request.title, request.text = form.get("title", request.title), form.get("body", request.text)
        request.state = form.get("state", request.state)
        return Answer(200, self.document(request))

    def issues_create_comment(self, number: str, form: Document) -> Answer:
        self.number(number).comments.append(form["body"])
        return Answer(201, {"id": 1, "body": form["body"]})

    def repos_create_commit_status(self, commit: str, form: Document) -> Answer:
        if not self.has_commit(commit):
            return Answer(422, {"message": f"No commit found for SHA: {commit}"})
        self.statuses.append((commit, form.get("context", "default"), form["state"]))
        return Answer(201, {"state": form["state"]})

    def document(self, request: Request) -> Document:
        """Return a pull request as GitHub shows it."""
        owner = "somebody" if request.from_fork else "shop"
        return {
            "number": request.number,
            "state": "open" if request.state == "open" else "closed",
            "merged_at": "2026-01-01T00:00:00Z" if request.state == "merged" else None,
            "title": request.title,
            "body": request.text or None,
            "html_url": f"https://github.test/shop/deploy/pull/{request.number}",
            "head": {
                "ref": request.branch,
                "sha": self.repository.head(request.branch),
                "label": f"{owner}:{request.branch}",
                "repo": {"full_name": f"{owner}/deploy"},
            },
            "base": {"ref": "main"},
        }
