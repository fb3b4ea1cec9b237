"""Brings Git up to what became of a canary: the record, the revert, and the status of the merged commit.

::

    a canary failed ─▶ record: the bundle, and no further promotions ─▶ branch ─▶ pull request ─▶ record: its link

Every step looks at Git first, so that one who begins again after any of them comes to the same end.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from components.bundles.digest import short
from components.contracts.errors import PromotionError
from components.gitops.bundle_line import changed_files, file_of_line, is_source, rendered_folder, source_path
from components.gitops.canary import Canary
from components.gitops.forges.api import ForgeError
from components.gitops.forges.forge import GATE, LIVE, Forge, Outcome, PullRequest, Status, open_request
from components.gitops.proposals import DEPTH, TRIES, is_current, is_proposal_branch, live_digest
from components.gitops.record import FailedBundle, Record, read_record, stop_sentence, write_record
from components.gitops.remote import Author, OutrunError, Remote, Snapshot
from components.gitops.request_text import closed_text, goes_back
from components.gitops.revert_text import revert_message, revert_text, revert_title
from components.gitops.settings import MERGE_REVERTS

OUTCOMES: dict[str, Outcome] = {"through": "success", "failed": "failure", "aborted": "failure"}
UNSAID = "scaling"  # the stable pods alone are coming or going


@dataclass(frozen=True)
class Reverter:
    """Writes to the repository for one environment; ``say`` gets a sentence for all that it does."""

    environment: str
    remote: Remote
    forge: Forge | None
    say: Callable[[str], None]
    seen: set[str] = field(default_factory=set)  # heads of pull requests, and what was said of one

    def heads(self) -> dict[bytes, bytes]:
        """Return the commits of all branches that matter: while they stay the same, Git says the same.

        Raises:
            PromotionError, ConfigurationError: as ``act``.
        """
        return self.remote.heads(f"rankloop/{self.environment}/")

    def act(self, canary: Canary, now: datetime) -> None:
        """Do all that Git lacks.

        Raises:
            PromotionError: the server or the forge refuses or cannot be reached; the next call goes on.
            ConfigurationError: a credential cannot be read.
        """
        for _ in range(2 * TRIES):
            with suppress(OutrunError):
                if self._is_done(canary, now):
                    return
        raise PromotionError(
            f"{self.remote.settings.place}: somebody else pushed each of {2 * TRIES} times; trying again"
        )

    def _is_done(self, canary: Canary, now: datetime) -> bool:
        """Do the next step; return whether there is no further one."""
        snapshot = self.remote.fetch(f"rankloop/{self.environment}/", DEPTH)
        record, live = read_record(snapshot, self.environment), live_digest(snapshot, self.environment)
        if self._is_noted(snapshot, record, canary, now) and self._is_reverted(snapshot, record, canary, live, now):
            self._settle_reverts(snapshot, record, live, now)
            self._hold_proposals(snapshot, record)
            self._set_live(snapshot, canary, live)
            return True
        return False

    def _is_noted(self, snapshot: Snapshot, record: Record, canary: Canary, now: datetime) -> bool:
        """Take note of a failure that is new; return whether there was none."""
        failure = canary.failure
        if failure is None or canary.bundle is None or failure.uid in record.runs:
            return True
        noted = record.with_failure(
            canary.bundle, failure, canary.stable if canary.is_new_bundle else None, not canary.has_other_changes
        )
        why = f"{self.environment}: the canary of {short(canary.bundle)} failed: {failure.sentence}"
        write_record(self.remote, snapshot, self.environment, noted, f"{why}\n\nPromotions are stopped.\n", now)
        self.say(f"{why}; promotions are stopped")
        if canary.stable is None:
            self.say(f"{self.environment}: the stable pods name no bundle to go back to: revert the merge yourself")
        elif not canary.is_new_bundle:
            self.say(
                f"{self.environment}: the stable pods serve the same bundle, so another change is the reason:"
                " revert the merge that brought it"
            )
        return False

    def _is_reverted(self, snapshot: Snapshot, record: Record, canary: Canary, live: str | None, now: datetime) -> bool:
        """Propose the revert of a failed canary's bundle; return whether there was nothing to propose."""
        failed = record.bundles.get(canary.bundle or "")
        if canary.state != "failed" or canary.bundle is None or failed is None or failed.revert is not None:
            return True
        if canary.bundle != live:
            return True  # a person was faster
        link = self._revert(snapshot, canary, failed, now)
        self.say(f"{self.environment}: revert of {short(canary.bundle)} to {short(failed.instead)}: {link}")
        noted = record.with_revert(canary.bundle, link)
        write_record(self.remote, snapshot, self.environment, noted, f"{self.environment}: the revert is {link}\n", now)
        return False

    def _revert(self, snapshot: Snapshot, canary: Canary, failed: FailedBundle, now: datetime) -> str:
        """Return the link of a revert's pull request, which is opened if nobody has decided about it yet."""
        bundle, branch = str(canary.bundle), revert_branch(self.environment, str(canary.bundle))
        request = self.forge.newest(branch) if self.forge else None
        if request is not None and request.state != "open":
            return request.link
        head = self._pushed(snapshot, branch, bundle, failed, now)
        if self.forge is None:
            return f"branch {branch} of {self.remote.settings.place}"
        title, text = (
            revert_title(self.environment, bundle, failed),
            revert_text(self.environment, bundle, failed, canary),
        )
        request = request or open_request(self.forge, branch, title, text)
        self._ready(self.forge, head)
        return request.link

    def _pushed(self, snapshot: Snapshot, branch: str, bundle: str, failed: FailedBundle, now: datetime) -> bytes:
        """Return the head of a revert's branch."""
        head, files = snapshot.heads.get(branch), self._files(snapshot, failed.instead)
        if head is not None and is_current(snapshot, head, files):
            return head
        author = Author(self.remote.settings.author, now)
        commit, objects = snapshot.with_files(files, revert_message(self.environment, bundle, failed), author)
        self.remote.push(branch, head, commit, objects)
        return commit

    def _files(self, snapshot: Snapshot, digest: str) -> dict[str, bytes]:
        source = snapshot.content(snapshot.tip, source_path(self.environment))
        rendered = snapshot.files(snapshot.tip, rendered_folder(self.environment))
        return changed_files(self.environment, digest, source, rendered)

    def _settle_reverts(self, snapshot: Snapshot, record: Record, live: str | None, now: datetime) -> None:
        """Merge reverts where the settings say so, renew them, and close those that have nothing left to revert."""
        for bundle, failed in record.bundles.items():
            branch = revert_branch(self.environment, bundle)
            head = snapshot.heads.get(branch)
            request = self.forge.newest(branch) if self.forge and head else None
            if self.forge and head and request and request.state == "open":
                if bundle == live:
                    head = self._ready(self.forge, self._pushed(snapshot, branch, bundle, failed, now))
                self._settle(self.forge, request, head, bundle == live)

    def _ready(self, forge: Forge, head: bytes) -> bytes:
        """Give the head of a revert the gate's word, if it is a new one; return the head."""
        if forge.outcome(head.decode(), GATE) != "success":
            forge.set_status(head.decode(), Status(GATE, "success", "goes back to what the stable pods serve"))
        return head

    def _settle(self, forge: Forge, request: PullRequest, head: bytes, is_needed: bool) -> None:
        if not is_needed:
            why = f"{self.environment} names another bundle since this was opened."
            forge.close(request, closed_text(request.text, why), why)
            self.say(f"{request.link} is closed: {why}")
        elif self.remote.settings.merges_reverts:
            try:
                forge.merge(request, head.decode())
            except ForgeError as error:
                self._say_once(head, f"{request.link} waits for a person, because it could not be merged: {error}")
            else:
                self.say(f"{request.link} is merged, as {MERGE_REVERTS} says")

    def _say_once(self, head: bytes, sentence: str) -> None:
        """Say what is found at each look, once a commit."""
        if (said := f"{head.decode()} {sentence}") not in self.seen:
            self.seen.add(said)
            self.say(sentence)

    def _hold_proposals(self, snapshot: Snapshot, record: Record) -> None:
        """Take the gate's word back from open promotions while they are stopped; promoting again gives it back."""
        if self.forge is None or record.stop is None:
            return
        for request in self.forge.open_requests():
            head = snapshot.heads.get(request.branch)
            is_proposal = is_proposal_branch(request.branch, self.environment)
            if (
                head
                and is_proposal
                and not goes_back(snapshot.message(head))
                and self.forge.outcome(head.decode(), GATE) == "success"
            ):
                words = stop_sentence(self.environment, record.stop)
                self.forge.set_status(head.decode(), Status(GATE, "failure", words))
                self.say(f"{request.link} is held: {words}; then promote it again")

    def pass_others(self) -> None:
        """Let those pull requests through the gate that change no bundle, so that protection may ask it of all.

        Raises:
            PromotionError: the forge cannot be reached.
        """
        for number, head in self.forge.open_heads() if self.forge else ():
            if self.forge and head not in self.seen:
                try:
                    self._pass(self.forge, number, head)
                except ForgeError as error:  # such as for a fork's commit
                    if not error.is_refusal:
                        raise
                    self.say(f"{head[:12]} of pull request {number} gets no status {GATE}: {error}")
                self.seen.add(head)

    def _pass(self, forge: Forge, number: int, head: str) -> None:
        changes_bundle = any(is_source(path) for path in forge.changed_paths(number))
        if not changes_bundle and forge.outcome(head, GATE) is None:
            forge.set_status(head, Status(GATE, "success", "changes no bundle"))
            self.say(f"{head[:12]} of pull request {number} passes the gate, since it changes no bundle")

    def _set_live(self, snapshot: Snapshot, canary: Canary, live: str | None) -> None:
        """Say at the merged commit what became of the canary that it has brought about."""
        if self.forge is None or live is None or canary.bundle != live or canary.state == UNSAID:
            return
        path, content = file_of_line(
            self.environment, live, snapshot.files(snapshot.tip, rendered_folder(self.environment))
        )
        if content and f"image: {canary.image}\n".encode() not in content:
            return  # the cluster has not got this commit yet
        commit = snapshot.last_change(path)
        outcome = OUTCOMES.get(canary.state, "pending")
        if commit is None:
            missing = f"{self.environment}: {LIVE} is not set, since the last {DEPTH} commits do not change {path}"
            self._say_once(snapshot.tip, missing)
            return
        if self.forge.outcome(commit.decode(), LIVE) == outcome:
            return
        words = _live_words(canary)
        self.forge.set_status(commit.decode(), Status(LIVE, outcome, words))
        self.say(f"{self.environment}: {commit.decode()[:12]} is {outcome}: {words}")


def revert_branch(environment: str, bundle: str) -> str:
    """Return the branch of a bundle's revert."""
    return f"rankloop/{environment}/revert-{short(bundle)}"


def _live_words(canary: Canary) -> str:
    bundle = short(canary.bundle or "")
    match canary.state:
        case "through":
            return f"all pods serve {bundle}"
        case "failed" if canary.failure:
            return f"the canary of {bundle} failed: {canary.failure.sentence}"
        case "not judged":
            return f"the canary of {bundle} could not be judged; it is tried again: {canary.message}"
        case "aborted":
            return f"the canary of {bundle} was aborted: {canary.message}"
    return f"the canary of {bundle} is at work"
