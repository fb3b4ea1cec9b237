"""Git follows what becomes of a canary: on a real Git server and the forges' APIs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from components.bundles.digest import short
from components.bundles.loading import Bundle
from components.contracts.errors import PromotionError, PromotionHeldError
from components.gitops import settings as names
from components.gitops.canary import Canary, Failure
from components.gitops.places import open_forge
from components.gitops.record import Record, read_record, reset_stop, stop_of
from components.gitops.remote import Remote
from components.gitops.request_text import Change
from components.gitops.reverting import Reverter, revert_branch
from components.home.layout import Home
from tests.components.gitops.bench import NOW, Bench, bench
from tests.components.gitops.rollouts import ABORTED_AT, IMAGE, RUN, RUN_UID
from tests.forges.forge import Answer, Request
from tests.forges.served import FORGES

pytestmark = pytest.mark.slow(seconds=20)

FAILURE = Failure("errors", "0.03125", "at most 0.01", ABORTED_AT, RUN, RUN_UID)
ABORTED = "RolloutAborted: Rollout aborted update to revision 2"


class Killed(BaseException):
    """The process ends here."""


class Dying:
    """Passes calls on, and ends the process after one of them."""

    def __init__(self, behind: Any, budget: list[int]) -> None:
        self._behind, self._budget = behind, budget

    def __getattr__(self, name: str) -> Any:
        there = getattr(self._behind, name)
        return self._counted(there) if callable(there) else there

    def _counted(self, call: Any) -> Any:
        def counted(*arguments: Any, **named: Any) -> Any:
            answer = call(*arguments, **named)
            self._budget[0] -= 1
            if self._budget[0] == 0:
                raise Killed
            return answer

        return counted


class Watch:
    """The reverter of staging, with what it says."""

    def __init__(self, made: Bench) -> None:
        self.made, self.said = made, list[str]()

    def act(self, canary: Canary, budget: int = 0) -> int:
        """Let a new process act, which dies after a number of calls (0: none); return how many it made."""
        left, settings = [budget], self.made.settings
        remote, forge = Dying(Remote(settings), left), open_forge(settings)
        reverter = Reverter("staging", remote, Dying(forge, left) if forge else None, self.said.append)  # type: ignore[arg-type]
        reverter.act(canary, NOW)
        reverter.pass_others()
        return budget - left[0]

    @property
    def record(self) -> Record:
        """Return what the repository says of canaries."""
        return read_record(Remote(self.made.settings).fetch("rankloop/staging/"), "staging")


@pytest.fixture(params=FORGES, ids=lambda kind: kind.name)
def made(request: pytest.FixtureRequest, tmp_path: Path, home: Home) -> Iterator[Bench]:
    with bench(tmp_path, request.param, home) as each:
        yield each


def canary(bundle: Bundle, stable: Bundle, state: Any = "failed", **changes: Any) -> Canary:
    found = Canary(state, bundle.digest, IMAGE, stable.digest, FAILURE if state == "failed" else None, ABORTED)
    return replace(found, **changes)


def merged(made: Bench, stable: Bundle, bad: Bundle) -> str:
    """Let a bundle be served, merge another one, and return the merge."""
    made.repository.set_live("staging", stable.digest)
    if made.forge is None:
        made.repository.set_live("staging", bad.digest)
        return made.repository.head("main")
    made.propose(bad)
    merge = made.forge.merge(made.forge.requests[-1])
    assert merge
    return merge


def reverts(made: Bench) -> list[Request]:
    assert made.forge is not None
    return [each for each in made.forge.requests if "/revert-" in each.branch]


def end_of(made: Bench) -> Any:
    """Return all that lies in Git and the forge, without what names a moment or a commit."""
    forge, repository = made.forge, made.repository
    assert forge is not None
    trees = {branch: repository.git("rev-parse", f"{branch}^{{tree}}") for branch in repository.branches()}
    lengths = {branch: repository.git("rev-list", "--count", branch) for branch in repository.branches()}
    requests = [(each.branch, each.title, each.text, each.state) for each in forge.requests]
    return trees, lengths, requests, sorted({(context, state) for _, context, state in forge.statuses})


def test_a_canary_that_failed_is_one_revert_and_stops_promotions(made: Bench, bundles: list[Bundle]) -> None:
    stable, bad, other = bundles[:3]
    merge, watch = merged(made, stable, bad), Watch(made)
    for _ in range(2):
        watch.act(canary(bad, stable))
    [request] = reverts(made)
    branch = revert_branch("staging", bad.digest)
    assert made.repository.git("diff", "--numstat", "main", branch).splitlines() == [
        f"1\t1\t{made.repository.source('staging')}",
        f"1\t1\t{made.repository.rendered('staging')}",
    ]
    for words in ("errors", "0.03125", "at most 0.01", ABORTED_AT, RUN, stable.digest, bad.digest):
        assert words in request.text
    assert (merge, "rankloop/live") in [status[:2] for status in made.forge.statuses if "fail" in status[2]]  # type: ignore[union-attr]
    with pytest.raises(PromotionHeldError, match=r"staging takes no promotions since .*errors was 0\.03125.*--reset"):
        made.propose(other)
    assert made.environments.states(bad.digest)["staging"]["state"].startswith("to be reverted: its canary failed")
    assert made.forge.merge(request)  # type: ignore[union-attr]
    assert made.repository.live("staging") == stable.digest
    watch.act(canary(stable, stable, "through"))
    assert (made.repository.head("main"), "rankloop/live", "success") in made.forge.statuses  # type: ignore[union-attr]
    reset_stop(Remote(made.settings), "staging", NOW)
    assert stop_of(Remote(made.settings), "staging") is None
    with pytest.raises(PromotionHeldError, match=r"was taken back in staging: errors was .* not promoted again"):
        made.propose(bad)
    assert made.environments.states(bad.digest)["staging"]["state"].startswith("reverted: its canary failed")
    assert made.propose(other).proposed
    assert reverts(made) == [request]


def test_open_proposals_lose_the_gates_word_until_they_are_promoted_again(github: Bench, bundles: list[Bundle]) -> None:
    stable, bad, waiting = bundles[:3]
    merged(github, stable, bad)
    github.propose(waiting)
    assert github.forge is not None
    request = github.forge.requests[-1]
    watch = Watch(github)
    for _ in range(2):
        watch.act(canary(bad, stable))
    assert github.forge.merge(request) is None
    assert sum("is held" in sentence for sentence in watch.said) == 1
    reset_stop(Remote(github.settings), "staging", NOW)
    github.propose(waiting)
    watch.act(canary(bad, stable))
    assert github.forge.merge(request)


def test_a_way_back_stays_open_while_promotions_are_stopped(github: Bench, bundles: list[Bundle]) -> None:
    stable, bad, older = bundles[:3]
    merged(github, stable, bad)
    watch = Watch(github)
    assert github.forge is not None
    watch.act(canary(bad, stable))
    github.environments.propose(Change("rollback", "staging", older, bad.digest), NOW)
    github.forge.requests[-1].state = "closed"  # by a person
    github.environments.propose(Change("rollback", "staging", older, bad.digest), NOW)
    for _ in range(2):
        watch.act(canary(bad, stable))
    assert github.forge.merge(github.forge.requests[-1])
    assert github.repository.live("staging") == older.digest


def test_a_bundle_that_came_with_other_changes_may_be_promoted_again(github: Bench, bundles: list[Bundle]) -> None:
    stable, bad = bundles[:2]
    merged(github, stable, bad)
    watch = Watch(github)
    watch.act(canary(bad, stable, has_other_changes=True))
    assert github.forge is not None
    assert github.forge.merge(reverts(github)[0])
    assert "may be proposed again" in reverts(github)[0].text
    with pytest.raises(PromotionHeldError):
        github.propose(bad)
    reset_stop(Remote(github.settings), "staging", NOW)
    assert github.propose(bad).proposed


def test_what_changes_no_bundle_passes_the_gate(made: Bench, bundles: list[Bundle]) -> None:
    merged(made, bundles[0], bundles[1])
    assert made.forge is not None
    heads = {}
    for branch, path in (("words", "README.md"), ("by-hand", made.repository.source("production"))):
        made.repository.git("branch", branch, "main")
        heads[branch] = made.repository.commit({path: "changed\n"}, "Somebody's", branch=branch)
        made.forge.opened(branch, "Somebody's", "").from_fork = branch == "words"
    watch = Watch(made)
    for _ in range(2):
        watch.act(canary(bundles[1], bundles[0], "at work"))
    gates = [status for status in made.forge.statuses if status[0] in heads.values()]
    assert gates == [(heads["words"], "rankloop/gate", "success")]


def test_a_process_that_ends_after_any_call_comes_to_the_same_end(
    tmp_path: Path, home: Home, bundles: list[Bundle]
) -> None:
    stable, bad = bundles[:2]

    def run(folder: Path, budget: int) -> tuple[Any, int]:
        folder.mkdir()
        with bench(folder, FORGES[0], home) as made:
            for bundle in (stable, bad):
                made.repository.set_live("staging", bundle.digest)
            watch, calls = Watch(made), 0
            try:
                calls = watch.act(canary(bad, stable), budget)
            except Killed:
                watch.act(canary(bad, stable))
            return end_of(made), calls

    end, calls = run(tmp_path / "whole", 1000)
    assert calls > 8
    for budget in range(1, calls + 1):
        assert run(tmp_path / str(budget), budget)[0] == end, f"after call {budget}"


def test_a_revert_that_a_person_closed_is_not_opened_again(github: Bench, bundles: list[Bundle]) -> None:
    stable, bad = bundles[:2]
    merged(github, stable, bad)
    watch = Watch(github)
    watch.act(canary(bad, stable))
    [request] = reverts(github)
    request.state = "closed"
    again = replace(FAILURE, run=f"{RUN}.1", uid="another")
    watch.act(canary(bad, stable, failure=again))
    assert reverts(github) == [request]
    assert github.repository.live("staging") == bad.digest
    # A person who closes it before its link was noted has decided, too.
    github.repository.git("update-ref", "-d", "refs/heads/rankloop/staging/record")
    watch.act(canary(bad, stable))
    assert reverts(github) == [request]


def test_promotions_are_stopped_once_by_one_analysis(github: Bench, bundles: list[Bundle]) -> None:
    stable, bad = bundles[:2]
    merged(github, stable, bad)
    watch = Watch(github)
    watch.act(canary(bad, stable))
    reset_stop(Remote(github.settings), "staging", NOW)
    watch.act(canary(bad, stable))
    assert watch.record.stop is None
    watch.act(canary(bad, stable, failure=replace(FAILURE, uid="of another try")))
    assert watch.record.stop is not None


@pytest.mark.parametrize("state", ["not judged", "aborted", "at work"])
def test_what_says_nothing_about_the_bundle_reverts_nothing(github: Bench, bundles: list[Bundle], state: str) -> None:
    stable, bad = bundles[:2]
    merge, watch = merged(github, stable, bad), Watch(github)
    watch.act(canary(bad, stable, state))
    assert watch.record == Record()
    assert reverts(github) == []
    outcome = "failure" if state == "aborted" else "pending"
    assert github.forge is not None
    assert [status for status in github.forge.statuses if status[1] == "rankloop/live"] == [
        (merge, "rankloop/live", outcome)
    ]


def test_other_code_with_the_same_bundle_stops_promotions_and_reverts_no_bundle(
    github: Bench, bundles: list[Bundle]
) -> None:
    merged(github, bundles[0], bundles[1])
    watch = Watch(github)
    watch.act(canary(bundles[1], bundles[1]))
    assert reverts(github) == []
    assert watch.record.stop is not None
    assert watch.record.bundles == {}
    assert "revert the merge that brought it" in watch.said[1]


def test_a_person_who_was_faster_is_left_alone(github: Bench, bundles: list[Bundle]) -> None:
    stable, bad, newer = bundles[:3]
    merged(github, stable, bad)
    github.repository.set_live("staging", newer.digest)
    watch = Watch(github)
    watch.act(canary(bad, stable))
    assert reverts(github) == []
    assert bad.digest in watch.record.bundles


def test_a_revert_with_nothing_left_to_revert_is_closed(github: Bench, bundles: list[Bundle]) -> None:
    stable, bad = bundles[:2]
    merged(github, stable, bad)
    watch = Watch(github)
    watch.act(canary(bad, stable))
    github.repository.set_live("staging", stable.digest)
    watch.act(canary(stable, stable, "through"))
    assert [each.state for each in reverts(github)] == ["closed"]
    assert reverts(github)[0].comments == ["staging names another bundle since this was opened."]


def test_a_promotion_does_not_close_a_revert(github: Bench, bundles: list[Bundle]) -> None:
    stable, bad, newer = bundles[:3]
    merged(github, stable, bad)
    Watch(github).act(canary(bad, stable))
    reset_stop(Remote(github.settings), "staging", NOW)
    github.propose(newer)
    assert [each.state for each in reverts(github)] == ["open"]


def test_reverts_are_merged_where_the_settings_say_so(made: Bench, bundles: list[Bundle]) -> None:
    stable, bad = bundles[:2]
    merged(made, stable, bad)
    made.variables[names.MERGE_REVERTS] = "yes"
    watch = Watch(made)
    assert made.forge is not None
    made.forge.faults.append((".*/merge", Answer(405, {"message": "A review is required"})))
    watch.act(canary(bad, stable))
    assert "waits for a person, because it could not be merged" in watch.said[-2]
    assert made.repository.live("staging") == bad.digest
    watch.act(canary(bad, stable))
    assert made.repository.live("staging") == stable.digest
    assert [each.state for each in reverts(made)] == ["merged"]


def test_without_a_forge_the_branch_is_the_revert(alone: Bench, bundles: list[Bundle]) -> None:
    stable, bad, other = bundles[:3]
    merged(alone, stable, bad)
    watch = Watch(alone)
    watch.act(canary(bad, stable))
    branch = revert_branch("staging", bad.digest)
    assert alone.repository.git("rev-list", "--count", f"main..{branch}") == "1"
    with pytest.raises(PromotionHeldError, match="takes no promotions"):
        alone.propose(other)
    reset_stop(Remote(alone.settings), "staging", NOW)
    alone.propose(other)
    assert {branch, "rankloop/staging/record"} <= set(alone.repository.branches())
    assert alone.repository.squash(branch, "A revert by hand")
    alone.repository.git("update-ref", "-d", f"refs/heads/{branch}")
    watch.act(canary(bad, stable))
    assert branch not in alone.repository.branches()


def test_a_line_that_moved_on_brings_the_branch_up_to_date(github: Bench, bundles: list[Bundle]) -> None:
    stable, bad = bundles[:2]
    merged(github, stable, bad)
    watch = Watch(github)
    assert github.forge is not None
    github.forge.faults.append(("POST .*/pulls", Answer(403, {"message": "Not accessible"})))
    with pytest.raises(PromotionError, match="may not do this"):
        watch.act(canary(bad, stable))
    rendered = github.repository.rendered("staging")
    text = github.repository.text(rendered).replace("metadata:", "metadata:\n  labels: {a: b}") + "\n"
    github.repository.commit({rendered: text}, "Other code")
    watch.act(canary(bad, stable))
    github.repository.commit({rendered: text.replace("{a: b}", "{a: c}")}, "Other code again")
    watch.act(canary(bad, stable))
    assert github.forge.merge(reverts(github)[0])
    assert "labels: {a: c}" in github.repository.text(rendered)
    assert github.repository.live("staging") == stable.digest


@pytest.mark.parametrize("breaks", ["/info/refs", "/git-upload-pack", "/git-receive-pack"])
def test_git_that_is_down_in_the_middle_is_one_line_and_tried_again(
    github: Bench, bundles: list[Bundle], breaks: str
) -> None:
    stable, bad = bundles[:2]
    merged(github, stable, bad)
    watch = Watch(github)
    github.git.breaks = breaks
    with pytest.raises(PromotionError, match="try again"):
        watch.act(canary(bad, stable))
    github.git.breaks = None
    watch.act(canary(bad, stable))
    assert [each.state for each in reverts(github)] == ["open"]


def test_two_that_write_at_once_come_to_one_revert(github: Bench, bundles: list[Bundle]) -> None:
    stable, bad = bundles[:2]
    merged(github, stable, bad)
    watch = Watch(github)
    github.git.before_push = lambda: watch.act(canary(bad, stable))
    watch.act(canary(bad, stable))
    assert [each.state for each in reverts(github)] == ["open"]
    assert len(watch.record.runs) == 1


def test_a_record_that_somebody_has_damaged_is_reported(github: Bench, bundles: list[Bundle]) -> None:
    github.repository.commit({"record.json": "{}"}, "A mistake", branch="rankloop/staging/record")
    with pytest.raises(PromotionError, match=r"rankloop/staging/record: record\.json is not what .* its last good"):
        github.propose(bundles[0])


def test_the_record_is_readable(github: Bench, bundles: list[Bundle]) -> None:
    stable, bad = bundles[:2]
    merged(github, stable, bad)
    Watch(github).act(canary(bad, stable))
    branch = "rankloop/staging/record"
    said = json.loads(github.repository.text("record.json", branch))
    assert said["stop"]["failure"]["metric"] == "errors"
    assert said["bundles"][bad.digest]["revert"] == "https://github.test/shop/deploy/pull/2"
    subjects = github.repository.git("log", "--format=%s", branch).splitlines()
    assert subjects[-1].startswith(f"staging: the canary of {short(bad.digest)} failed: errors was 0.03125")
    assert github.repository.git("merge-base", branch, "main", check=False) == ""


def test_a_commit_that_the_cluster_has_not_got_yet_gets_no_status(github: Bench, bundles: list[Bundle]) -> None:
    stable, new = bundles[:2]
    merged(github, stable, new)
    watch = Watch(github)
    watch.act(canary(stable, stable, "through"))
    watch.act(canary(new, stable, "through", image="rankloop@sha256:1"))
    assert github.forge is not None
    assert [status for status in github.forge.statuses if status[1] == "rankloop/live"] == []
    github.repository.commit({"README.md": "Other words.\n"}, "Words", at=(NOW + timedelta(hours=1)).isoformat())
    watch.act(canary(new, stable, "at work"))
    watch.act(canary(new, new, "through"))
    watch.act(canary(new, new, "scaling"))
    states = [status[2] for status in github.forge.statuses if status[1] == "rankloop/live"]
    assert states == ["pending", "success"]
