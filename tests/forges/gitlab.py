"""GitLab's API."""

from collections.abc import Mapping

from tests.forges.forge import FLAG, INTEGER, INTEGERS, TEXT, Answer, Document, Forge, Operation, Request, body, one_of


class GitLab(Forge):
    """GitLab's API."""

    name = "gitlab"
    base = "/api/v4"
    operations = (
        Operation(
            "list_requests",
            "GET",
            "/projects/shop%2Fdeploy/merge_requests",
            {
                "state": one_of("opened", "closed", "locked", "merged", "all"),
                "source_branch": TEXT,
                "target_branch": TEXT,
                "order_by": one_of(
                    "created_at",
                    "label_priority",
                    "milestone_due",
                    "popularity",
                    "priority",
                    "title",
                    "updated_at",
                    "merged_at",
                ),
                "sort": one_of("asc", "desc"),
                "per_page": INTEGER | {"maximum": 100},
                "page": INTEGER,
            },
        ),
        Operation(
            "create_request",
            "POST",
            "/projects/shop%2Fdeploy/merge_requests",
            body=body(
                ("title", "source_branch", "target_branch"),
                title=TEXT,
                source_branch=TEXT,
                target_branch=TEXT,
                target_project_id=INTEGER,
                description=TEXT,
                assignee_id=INTEGER,
                assignee_ids=INTEGERS,
                reviewer_ids=INTEGERS,
                labels=TEXT,
                milestone_id=INTEGER,
                remove_source_branch=FLAG,
                squash=FLAG,
                allow_collaboration=FLAG,
            ),
        ),
        Operation(
            "update_request",
            "PUT",
            r"/projects/shop%2Fdeploy/merge_requests/(\d+)",
            body=body(
                title=TEXT,
                description=TEXT,
                state_event=one_of("close", "reopen"),
                target_branch=TEXT,
                labels=TEXT,
                remove_source_branch=FLAG,
                squash=FLAG,
                discussion_locked=FLAG,
            ),
        ),
        Operation(
            "create_note",
            "POST",
            r"/projects/shop%2Fdeploy/merge_requests/(\d+)/notes",
            body=body(("body",), body=TEXT, internal=FLAG, created_at=TEXT),
        ),
        Operation(
            "create_status",
            "POST",
            "/projects/shop%2Fdeploy/statuses/([0-9a-f]{40})",
            body=body(
                ("state",),
                state=one_of("pending", "running", "success", "failed", "canceled", "skipped"),
                ref=TEXT,
                name=TEXT,
                context=TEXT,
                target_url=TEXT,
                description=TEXT | {"maxLength": 255},
                coverage={"type": "number"},
                pipeline_id=INTEGER,
            ),
        ),
        Operation(
            "list_diffs",
            "GET",
            r"/projects/shop%2Fdeploy/merge_requests/(\d+)/diffs",
            {"unidiff": TEXT, "per_page": INTEGER | {"maximum": 100}, "page": INTEGER},
        ),
        Operation(
            "merge_request",
            "PUT",
            r"/projects/shop%2Fdeploy/merge_requests/(\d+)/merge",
            body=body(
                auto_merge=FLAG,
                merge_commit_message=TEXT,
                merge_when_pipeline_succeeds=FLAG,
                sha=TEXT,
                should_remove_source_branch=FLAG,
                squash=FLAG,
                squash_commit_message=TEXT,
            ),
        ),
        Operation(
            "list_statuses",
            "GET",
            "/projects/shop%2Fdeploy/repository/commits/([0-9a-f]{40})/statuses",
            {
                "ref": TEXT,
                "stage": TEXT,
                "name": TEXT,
                "pipeline_id": INTEGER,
                "order_by": one_of("id", "pipeline_id"),
                "sort": one_of("asc", "desc"),
                "all": TEXT,
                "per_page": INTEGER | {"maximum": 100},
                "page": INTEGER,
            },
        ),
    )

    def list_diffs(self, number: str, query: Document) -> Answer:
        files = [{"old_path": path, "new_path": path} for path in self.changed(self.number(number))]
        return self.page(files, query, "per_page", 100)

    def merge_request(self, number: str, form: Document) -> Answer:
        request = self.number(number)
        if form.get("sha") not in (None, self.repository.head(request.branch)):
            return Answer(409, {"message": "SHA does not match HEAD of source branch"})
        return (
            Answer(200, self.document(request))
            if self.merge(request)
            else Answer(405, {"message": "405 Method Not Allowed"})
        )

    def list_statuses(self, commit: str, query: Document) -> Answer:
        ours = [each for each in self.of(commit) if query.get("name") in (None, each[1])]
        return self.page(
            [{"id": number, "name": name, "status": state} for number, name, state in ours], query, "per_page", 100
        )

    def is_known(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request shows the token."""
        return headers.get("PRIVATE-TOKEN") == self.token

    def list_requests(self, query: Document) -> Answer:
        asked = [each for each in reversed(self.requests) if self._is_asked(each, query)]
        return self.page([self.document(each) for each in asked], query, "per_page", 100)

    def _is_asked(self, request: Request, query: Document) -> bool:
        state = query.get("state", "all")
        is_state = state in ("all", {"open": "opened"}.get(request.state, request.state))
        return is_state and query.get("source_branch") in (None, request.branch)

    def create_request(self, form: Document) -> Answer:
        branch = form["source_branch"]
        if self.is_open(branch):
            number = self.open_of(branch)[0].number
            said = f"Another open merge request already exists for this source branch: !{number}"
            return Answer(409, {"message": [said]})
        if not self.repository.head(branch):
            return Answer(400, {"message": {"source_branch": ["does not exist"]}})
        return Answer(201, self.document(self.opened(branch, form["title"], form.get("description", ""))))

    def update_request(self, number: str, form: Document) -> Answer:
        request = self.number(number)
        request.title, request.text = form.get("title", request.title), form.get("description", request.text)
        request.state = {"close": "closed", "reopen": "open", None: request.state}[form.get("state_event")]
        return Answer(200, self.document(request))

    def create_note(self, number: str, form: Document) -> Answer:
        self.number(number).comments.append(form["body"])
        return Answer(201, {"id": 1, "body": form["body"]})

    def create_status(self, commit: str, form: Document) -> Answer:
        status = (commit, form.get("name", form.get("context", "default")), form["state"])
        if not self.has_commit(commit):
            return Answer(404, {"message": "404 Commit Not Found"})
        if [state for _, name, state in self.of(commit) if name == status[1]][-1:] == [form["state"]]:
            said = "Cannot transition status via :success from :success (Reason(s): Status cannot transition)"
            return Answer(400, {"message": said})
        self.statuses.append(status)
        return Answer(201, {"status": form["state"]})

    def document(self, request: Request) -> Document:
        """Return a merge request as GitLab shows it."""
        return {
            "iid": request.number,
            "id": 1000 + request.number,
            "state": "opened" if request.state == "open" else request.state,
            "title": request.title,
            "description": request.text or None,
            "web_url": f"https://gitlab.test/shop/deploy/-/merge_requests/{request.number}",
            "sha": self.repository.head(request.branch),
            "source_branch": request.branch,
            "target_branch": "main",
            "source_project_id": 8 if request.from_fork else 7,
            "target_project_id": 7,
        }
