"""Environments in a Git repository: what is live, and the pull requests that propose another bundle.

::

    rankloop/<env>/<short digest>   the branch of a proposal: one commit, the line and its rendered counterpart

A push is refused if somebody else has pushed since the branch was read; then everything is read and made again.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from components.bundles.digest import short
from components.bundles.environments import Move, Pointer
from components.bundles.promotion import PointerChange
from components.bundles.sidecar import Sidecar
from components.contracts.errors import PromotionError, PromotionHeldError
from components.gitops.bundle_line import NOTHING, changed_files, line_digest, rendered_folder, source_path
from components.gitops.forges.api import ForgeError
from components.gitops.forges.forge import GATE, Forge, PullRequest, Status, open_request
from components.gitops.record import failed_sentence, read_record, stop_sentence
from components.gitops.remote import Author, History, OutrunError, Remote, Snapshot
from components.gitops.request_text import CLOSED_MARK, Change, closed_text, commit_message, text, title
from components.gitops.settings import STAGING_HOURS, GitSettings

TRIES = 5
DEPTH = 50  # commits within which a proposal has left the branch, or it is made again
PRODUCTION, STAGING = "production", "staging"
OVERLAYS = "manifests/overlays"
PROPOSAL = re.compile(r"[0-9a-f]+")  # a short digest

Known = Callable[[str], Sidecar | None]  # the sidecar of a bundle by its digest or the start of it; None: it is gone


@dataclass(frozen=True)
class GitEnvironments:
    """The environments of a repository; ``forge`` is None where a branch is all that is proposed."""

    settings: GitSettings
    remote: Remote
    forge: Forge | None
    known: Known

    def live(self, environment: str) -> str | None:
        """Return the digest that an environment serves; None when nothing was promoted.

        Raises:
            PromotionError: the repository cannot be read, or has no such environment.
        """
        snapshot = self.remote.fetch()
        return live_digest(snapshot, environment)

    def pointer(self, environment: str) -> Pointer:
        """Return an environment's moves as the history of its line tells them.

        A line that names the bundle before the last promotion again has gone back to it.
        """
        return _pointer(environment, self.remote.history(source_path(environment)))

    def propose(self, change: Change, now: datetime) -> PointerChange:
        """Open a pull request for a change, or find the one that is open.

        Raises:
            PromotionHeldError: it waits for its hours in staging, or a person has closed its pull request.
            PromotionError: the server or the forge refuses or cannot be reached; nothing half-done is left.
        """
        self._check_staging(change, now)
        for _ in range(TRIES):
            with suppress(OutrunError):
                return self._propose(change, now)
        raise PromotionError(
            f"{self.settings.place}: somebody else pushed {_branch(change)} each of {TRIES} times; nothing was changed,"
            " try again"
        )

    def states(self, digest: str) -> dict[str, dict[str, Any]]:
        """Return where a bundle is live or was proposed, by environment.

        Raises:
            PromotionError: the repository or the forge cannot be read.
        """
        snapshot = self.remote.fetch(f"{_PREFIX}/", DEPTH)
        states: dict[str, dict[str, Any]] = {}
        for environment in snapshot.folders(snapshot.tip, OVERLAYS):
            if snapshot.content(snapshot.tip, source_path(environment)) is None:
                continue
            request = self._newest(snapshot, f"{_PREFIX}/{environment}/{short(digest)}")
            live = live_digest(snapshot, environment) == digest
            failed = read_record(snapshot, environment).bundles.get(digest)
            if failed:
                state = f"{'to be ' if live else ''}reverted: its canary failed, {failed.failure.sentence}"
                states[environment] = {"live": live, "state": state, "link": failed.revert}
            elif live or request:
                state = "live" if live or request is None else self._state(request, environment, digest)
                states[environment] = {"live": live, "state": state, "link": request.link if request else None}
        return states

    def _state(self, request: PullRequest, environment: str, digest: str) -> str:
        """Return what became of a bundle that was proposed and is not live."""
        if request.state == "open":
            return "proposed"
        if request.state == "closed":
            return "refused by a person" if _is_refused(request) else "overtaken"
        stands = any(move.bundle == digest for move in self.pointer(environment).line)
        return "replaced" if stands else "taken back"

    def _propose(self, change: Change, now: datetime) -> PointerChange:
        environment, branch = change.environment, _branch(change)
        snapshot = self.remote.fetch(f"{_PREFIX}/{environment}/", DEPTH)
        change = _on(change, live_digest(snapshot, environment))
        if change.before == change.digest:
            self._close_older(snapshot, change)
            reason = f"{environment} already serves {short(change.digest)}; nothing to change"
            return PointerChange(
                environment, change.digest, change.digest, False, reason, repository=self.settings.place
            )
        _check_record(snapshot, change)
        request = self._newest(snapshot, branch)
        _check_not_closed(request, change)
        head, is_new = self._pushed(snapshot, change, now)
        request = self._requested(snapshot, change, request, head if is_new else None)
        if self.forge is not None:
            self._set_gate(self.forge, request, head, change)
        self._close_older(snapshot, change)
        return self._proposed(change, request)

    def _pushed(self, snapshot: Snapshot, change: Change, now: datetime) -> tuple[bytes, bool]:
        """Return the head of the proposal's branch, and whether it was pushed now."""
        head = snapshot.heads.get(_branch(change))
        files = _files(snapshot, change)
        if head is not None and is_current(snapshot, head, files):
            return head, False
        commit, objects = snapshot.with_files(files, commit_message(change), Author(self.settings.author, now))
        self.remote.push(_branch(change), head, commit, objects)
        return commit, True

    def _requested(
        self, snapshot: Snapshot, change: Change, request: PullRequest | None, pushed: bytes | None
    ) -> PullRequest:
        """Return the open pull request of a proposal; ``pushed`` is its commit if that was pushed now."""
        branch = _branch(change)
        if self.forge is None:
            return self._branch_alone(branch)
        if request is not None and request.state == "open":
            if pushed is not None:
                self._edit(self.forge, request, change)
            return request
        try:
            return open_request(self.forge, branch, title(change), text(change))
        except ForgeError as error:
            if error.is_refusal and pushed is not None and branch not in snapshot.heads:
                with suppress(PromotionError):
                    self.remote.push(branch, pushed, None, [])
            raise

    def _edit(self, forge: Forge, request: PullRequest, change: Change) -> None:
        """Replace the words of a pull request.

        Raises:
            OutrunError: it was closed meanwhile, as overtaken; the new words have replaced the mark, which is put back.
        """
        forge.edit(request.number, title(change), text(change))
        newest = forge.newest(request.branch)
        if newest is not None and _is_refused(newest):
            forge.edit(newest.number, title(change), closed_text(newest.text, "it was overtaken while it was renewed."))
            raise OutrunError(f"{request.link} was closed meanwhile")

    def _set_gate(self, forge: Forge, request: PullRequest, head: bytes, change: Change) -> None:
        link = change.run_link or change.report
        try:
            shown = link if link and "http" in link[:4] else None
            forge.set_status(head.decode(), Status(GATE, "success", "the gate lets it go live", shown))
        except PromotionError as error:
            raise PromotionError(f"{request.link} is open, but its status could not be set: {error}") from error

    def _proposed(self, change: Change, request: PullRequest) -> PointerChange:
        environment, serves = change.environment, "serves nothing yet"
        if change.before:
            serves = f"goes on serving {short(change.before)} until it is merged"
        reason = f"{short(change.digest)} is proposed for {environment}, which {serves}: {request.link}"
        place = self.settings.place
        return PointerChange(
            environment, change.before, change.before, False, reason, change.digest, request.link, place
        )

    def _newest(self, snapshot: Snapshot, branch: str) -> PullRequest | None:
        if self.forge is not None:
            return self.forge.newest(branch)
        return self._branch_alone(branch) if branch in snapshot.heads else None

    def _branch_alone(self, branch: str) -> PullRequest:
        return PullRequest(0, branch, "open", f"branch {branch} of {self.settings.place}", "")

    def _close_older(self, snapshot: Snapshot, change: Change) -> None:
        """Close pull requests that were overtaken: a newer bundle was merged since they were opened."""
        live = change.before
        if live is None:
            return
        for request in self._open_requests(snapshot, change.environment):
            if request.branch != _branch(change) and self._is_overtaken(snapshot, request, change.environment, live):
                why = f"{change.environment} serves the newer bundle {short(live)} since this was opened."
                self._close(snapshot, request, why)

    def _open_requests(self, snapshot: Snapshot, environment: str) -> list[PullRequest]:
        if self.forge is None:
            return [self._branch_alone(each) for each in snapshot.heads if is_proposal_branch(each, environment)]
        return [each for each in self.forge.open_requests() if is_proposal_branch(each.branch, environment)]

    def _close(self, snapshot: Snapshot, request: PullRequest, why: str) -> None:
        if self.forge is not None:
            self.forge.close(request, closed_text(request.text, why), why)
        else:
            with suppress(OutrunError):
                self.remote.push(request.branch, snapshot.heads[request.branch], None, [])

    def _is_overtaken(self, snapshot: Snapshot, request: PullRequest, environment: str, live: str) -> bool:
        """Say whether a proposal replaces a bundle that is no longer live, by one that is older than the live one."""
        name, head = request.branch.rpartition("/")[2], snapshot.heads.get(request.branch)
        if short(live) == name or head is None:
            return short(live) == name
        fork = snapshot.fork(head)
        if fork is not None:
            with suppress(PromotionError):  # its line was a mistake
                if live_digest(snapshot, environment, fork) == live:
                    return False
        served, offered = self.known(live), self.known(name)
        return offered is None or (served is not None and _age(offered) < _age(served))

    def _check_staging(self, change: Change, now: datetime) -> None:
        """Let a bundle into production that staging has served long enough; a way back is always open.

        Raises:
            PromotionHeldError: how long it has been live there, and when it will have been long enough.
        """
        needed = timedelta(hours=self.settings.staging_hours)
        if change.environment != PRODUCTION or change.action == "rollback" or not needed:
            return
        if self.live(PRODUCTION) == change.digest:
            return
        wanted = change.digest.encode()
        history = self.remote.history(source_path(STAGING), lambda known: _hours_live(known, wanted, now) >= needed)
        lived = _hours_live(history, wanted, now)
        if lived < needed:
            raise PromotionHeldError(_waiting(change, lived, needed, _is_live(history, wanted), now))


_PREFIX = "rankloop"


def _on(change: Change, live: str | None) -> Change:
    """Return a change of what is live now; where to go back to was read from what was live then."""
    if change.action == "rollback" and change.before != live:
        raise PromotionError(f"{change.environment} has changed meanwhile; look at what is live, then try again")
    return replace(change, before=live)


def is_proposal_branch(branch: str, environment: str) -> bool:
    """Say whether a branch is a bundle's proposal, and neither a revert nor the record."""
    prefix = f"{_PREFIX}/{environment}/"
    return branch.startswith(prefix) and PROPOSAL.fullmatch(branch.removeprefix(prefix)) is not None


def _branch(change: Change) -> str:
    return f"{_PREFIX}/{change.environment}/{short(change.digest)}"


def live_digest(snapshot: Snapshot, environment: str, commit: bytes | None = None) -> str | None:
    """Return the digest that an environment's line names at a commit, by default the newest.

    Raises:
        PromotionError: the branch has no such environment.
    """
    path = source_path(environment)
    digest = line_digest(path, snapshot.content(commit or snapshot.tip, path))
    return None if digest == NOTHING else digest


def _files(snapshot: Snapshot, change: Change) -> dict[str, bytes]:
    source = snapshot.content(snapshot.tip, source_path(change.environment))
    rendered = snapshot.files(snapshot.tip, rendered_folder(change.environment))
    return changed_files(change.environment, change.digest, source, rendered)


def is_current(snapshot: Snapshot, head: bytes, files: dict[str, bytes]) -> bool:
    """Say whether a proposal's branch can be merged as it is: one commit, which makes of the files what it should."""
    fork = snapshot.fork(head)
    if fork is None or not snapshot.changes_only(head, fork, files):
        return False
    untouched = all(snapshot.same(fork, snapshot.tip, path) for path in files)
    return untouched and all(snapshot.content(head, path) == content for path, content in files.items())


def _is_refused(request: PullRequest) -> bool:
    """Say whether a person has closed a pull request, and not Rankloop."""
    return request.state == "closed" and CLOSED_MARK not in request.text


def _check_record(snapshot: Snapshot, change: Change) -> None:
    """Let no promotion through while promotions are stopped, nor one of a bundle that was taken back."""
    if change.action == "rollback":
        return
    record = read_record(snapshot, change.environment)
    if change.digest in record.bundles:
        raise PromotionHeldError(failed_sentence(change.environment, change.digest, record.bundles[change.digest]))
    if record.stop:
        raise PromotionHeldError(stop_sentence(change.environment, record.stop))


def _check_not_closed(request: PullRequest | None, change: Change) -> None:
    """Propose no bundle again that a person has refused; a way back is always open."""
    if change.action != "rollback" and request is not None and _is_refused(request):
        raise PromotionHeldError(
            f"somebody closed {request.link}, so this bundle is not proposed again; reopen it there if it is to go live"
        )


def _age(sidecar: Sidecar) -> tuple[str, str]:
    """Return what orders bundles: the moment of their data, then that of their publication."""
    return sidecar.as_of, sidecar.published_at or ""


def _pointer(environment: str, history: History) -> Pointer:
    """Return the moves that a line's contents tell of; earlier ones that name no bundle were somebody's mistake.

    Raises:
        PromotionError: the newest content is such a mistake.
    """
    path, pointer = source_path(environment), Pointer(environment)
    for number, (at, content) in enumerate(history.contents, 1):
        try:
            digest = NOTHING if content is None else line_digest(path, content)
        except PromotionError:
            if number == len(history.contents):
                raise
            continue
        line = pointer.line
        goes_back = len(line) > 1 and line[-2].bundle == digest
        if digest not in (NOTHING, pointer.bundle):
            move = Move("rollback" if goes_back else "promote", digest, "", at.isoformat())
            pointer = replace(pointer, moves=(*pointer.moves, move))
    return pointer


def _hours_live(history: History, wanted: bytes, now: datetime) -> timedelta:
    """Return how long a file named a digest, by the times of the commits that changed it."""
    ends = [at for at, _ in history.contents[1:]] + [now]
    spans = zip(history.contents, ends, strict=True) if history.contents else ()
    lived = (max(end - at, timedelta()) for (at, content), end in spans if content and wanted in content)
    return sum(lived, timedelta())


def _is_live(history: History, wanted: bytes) -> bool:
    return bool(history.contents) and wanted in (history.contents[-1][1] or b"")


def _waiting(change: Change, lived: timedelta, needed: timedelta, is_live: bool, now: datetime) -> str:
    said = f"staging has served {short(change.digest)} for {lived / timedelta(hours=1):.1f} hours, expected"
    if is_live:
        moment = (now + needed - lived).isoformat(timespec="minutes")
        return f"{said} {needed / timedelta(hours=1):g} before it is proposed for production; again after {moment}"
    return (
        f"{said} {needed / timedelta(hours=1):g} before it is proposed for production; promote it there first, or set"
        f" {STAGING_HOURS}=0"
    )
