from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from components.bundles.digest import short
from components.bundles.loading import Bundle
from components.contracts.errors import PromotionError, PromotionHeldError
from components.gitops import settings as names
from components.gitops.forges.forge import PullRequest
from components.gitops.forges.github import GitHub
from components.home.layout import Home
from tests.components.gitops.bench import NOW, Bench, bench
from tests.forges.forge import GATE, Answer, Forge, Request
from tests.forges.served import FORGES
from tests.git_server import BUNDLE_YAML, NOTHING, ROLLOUT_YAML

pytestmark = pytest.mark.slow(seconds=20)


OPENS = "POST .*(pulls|merge_requests)"


def request_of(made: Bench, number: int = 1) -> Request:
    assert made.forge is not None
    return made.forge.number(str(number))


@pytest.mark.parametrize("kind", FORGES, ids=lambda kind: kind.name)
def test_a_promotion_is_one_changed_line_and_one_pull_request(
    tmp_path: Path, home: Home, bundles: list[Bundle], kind: type[Forge]
) -> None:
    first, second = bundles[:2]
    with bench(tmp_path, kind, home) as made:
        assert made.forge is not None
        change = made.propose(first)
        branch = f"rankloop/staging/{short(first.digest)}"
        assert (change.moved, change.before, change.after, change.proposed) == (False, None, None, first.digest)
        assert made.environments.live("staging") is None
        changed = made.repository.git("diff", "--numstat", "main", branch).splitlines()
        assert changed == [f"1\t1\t{made.repository.source('staging')}", f"1\t1\t{made.repository.rendered('staging')}"]
        assert (
            made.repository.text(made.repository.source("staging"), branch)
            == BUNDLE_YAML.format(digest=first.digest).strip()
        )
        assert (
            made.repository.text(made.repository.rendered("staging"), branch)
            == ROLLOUT_YAML.format(digest=first.digest).strip()
        )
        assert (made.repository.head(branch), GATE, "success") in made.forge.statuses
        assert made.propose(first).link == change.link
        assert len(made.forge.requests) == 1
        assert made.forge.merge(request_of(made))
        assert made.environments.live("staging") == first.digest
        assert "already serves" in made.propose(first).reason
        assert made.propose(second).before == first.digest
        assert made.forge.merge(request_of(made, 2))
        back = made.go_back()
        assert (back.proposed, back.before) == (first.digest, second.digest)
        assert made.go_back().link == back.link
        assert request_of(made, 3).title == f"staging: go back to {short(first.digest)} from {short(second.digest)}"
        assert made.forge.merge(request_of(made, 3))
        assert [move.action for move in made.environments.pointer("staging").moves] == [
            "promote",
            "promote",
            "rollback",
        ]
        assert made.environments.states(second.digest)["staging"]["state"] == "taken back"


def test_without_a_forge_the_branch_is_all_that_is_proposed(alone: Bench, bundles: list[Bundle]) -> None:
    first, second = bundles[:2]
    change = alone.propose(first)
    assert change.link is not None
    assert change.link.startswith(f"branch rankloop/staging/{short(first.digest)} of http://127.0.0.1")
    head = alone.repository.head(f"rankloop/staging/{short(first.digest)}")
    alone.propose(first)
    assert alone.repository.head(f"rankloop/staging/{short(first.digest)}") == head
    alone.repository.set_live("staging", second.digest)
    alone.propose(bundles[2])
    assert alone.repository.branches() == ["main", f"rankloop/staging/{short(bundles[2].digest)}"]


def test_an_older_bundle_yields_when_a_newer_one_is_merged_and_a_newer_one_is_made_again(
    github: Bench, bundles: list[Bundle]
) -> None:
    old, merged, new = bundles[:3]
    for bundle in (old, merged, new):
        github.propose(bundle)
    assert github.forge is not None
    github.forge.merge(request_of(github, 2))
    assert github.forge.merge(request_of(github, 3)) is None  # it changes the same line
    github.propose(new)
    assert (request_of(github, 1).state, request_of(github, 3).state) == ("closed", "open")
    [comment] = request_of(github, 1).comments
    assert comment == f"staging serves the newer bundle {short(merged.digest)} since this was opened."
    assert f"instead of `{short(merged.digest)}`" in request_of(github, 3).text
    assert github.forge.merge(request_of(github, 3))
    assert github.repository.live("staging") == new.digest
    # Rankloop closed it, so it may come again if somebody asks for it.
    assert github.propose(old).proposed == old.digest


def test_a_pull_request_that_a_person_has_closed_is_not_opened_again(github: Bench, bundles: list[Bundle]) -> None:
    github.propose(bundles[0])
    request_of(github).state = "closed"
    with pytest.raises(PromotionHeldError, match=r"somebody closed https://github\.test/.*/1, so .* reopen it there"):
        github.propose(bundles[0])
    request_of(github).state = "open"
    assert github.propose(bundles[0]).proposed


def test_what_became_of_a_bundle_is_said_as_it_was(github: Bench, bundles: list[Bundle]) -> None:
    def state(bundle: Bundle) -> str:
        return str(github.environments.states(bundle.digest)["staging"]["state"])

    old, first, second, refused = bundles[:4]
    for bundle in (old, first, refused):
        github.propose(bundle)
    assert state(old) == "proposed"
    request_of(github, 3).state = "closed"
    assert state(refused) == "refused by a person"
    assert github.forge is not None
    assert github.forge.merge(request_of(github, 2))
    assert state(first) == "live"
    github.propose(second)
    assert state(old) == "overtaken"
    assert github.forge.merge(request_of(github, 4))
    assert (state(first), state(second)) == ("replaced", "live")
    github.go_back()
    assert github.forge.merge(request_of(github, 5))
    assert (state(first), state(second)) == ("live", "taken back")


def test_a_change_beside_the_line_leaves_a_proposal_as_it_is(github: Bench, bundles: list[Bundle]) -> None:
    github.propose(bundles[0])
    branch = f"rankloop/staging/{short(bundles[0].digest)}"
    head = github.repository.head(branch)
    github.repository.commit({"README.md": "Another text.\n"}, "Words")
    github.propose(bundles[0])
    assert github.repository.head(branch) == head
    github.repository.commit({"README.md": "One more text.\n"}, "Words", times=60)  # deeper than is fetched
    github.propose(bundles[0])
    assert github.repository.git("rev-parse", f"{branch}^") == github.repository.head("main")


@pytest.mark.parametrize("is_reverted", [False, True])
def test_a_commit_that_somebody_has_put_on_a_proposal_gets_no_status(
    github: Bench, bundles: list[Bundle], is_reverted: bool
) -> None:
    github.propose(bundles[0])
    branch = f"rankloop/staging/{short(bundles[0].digest)}"
    foreign = github.repository.commit({"manifests/overlays/staging/x.yaml": "x\n"}, "Somebody's", branch=branch)
    if is_reverted:  # the files are as they should be, but the commits between are nobody's that was checked
        tree = github.repository.git("rev-parse", f"{branch}~^{{tree}}")
        foreign = github.repository.git("commit-tree", tree, "-p", branch, "-m", "Revert")
        github.repository.git("update-ref", f"refs/heads/{branch}", foreign)
    github.propose(bundles[0])
    head = github.repository.head(branch)
    assert github.repository.git("rev-list", "--count", f"main..{branch}") == "1"
    assert github.forge is not None
    assert foreign not in [commit for commit, _, _ in github.forge.statuses]
    assert (head, GATE, "success") in github.forge.statuses
    assert len(github.repository.git("diff", "--name-only", "main", branch).splitlines()) == 2


def test_production_waits_for_hours_in_staging_and_a_way_back_does_not(github: Bench, bundles: list[Bundle]) -> None:
    first, second = bundles[:2]

    def since(hours: float) -> str:
        return (NOW - timedelta(hours=hours)).isoformat()

    github.variables[names.STAGING_HOURS] = "24"
    with pytest.raises(PromotionHeldError, match=r"for 0\.0 hours, expected 24 .*promote it there first"):
        github.propose(first, "production")
    github.repository.set_live("staging", first.digest, at=since(20))
    with pytest.raises(PromotionHeldError, match=r"for 20\.0 hours, expected 24 .* again after 2026-06-10T16:00"):
        github.propose(first, "production")
    assert github.propose(first, "production", NOW + timedelta(hours=4)).proposed
    github.repository.set_live("production", first.digest)
    github.repository.set_live("staging", second.digest, at=since(0.5))
    github.repository.set_live("production", second.digest)
    assert github.go_back("production").proposed == first.digest
    github.variables[names.STAGING_HOURS] = "0"
    assert github.propose(bundles[2], "production").proposed


def test_a_clock_that_is_ahead_counts_as_no_time(github: Bench, bundles: list[Bundle]) -> None:
    github.repository.set_live("staging", bundles[0].digest, at=(NOW + timedelta(days=30)).isoformat())
    github.variables[names.STAGING_HOURS] = "24"
    with pytest.raises(PromotionHeldError, match=r"for 0\.0 hours"):
        github.propose(bundles[0], "production")


def test_whoever_is_outrun_begins_again(github: Bench, bundles: list[Bundle]) -> None:
    first, other = bundles[:2]
    branch = f"rankloop/staging/{short(first.digest)}"
    github.git.before_push = lambda: github.repository.commit({"x": "y"}, "Somebody's", branch=branch)
    assert github.propose(first).proposed == first.digest
    assert github.repository.git("rev-list", "--count", f"main..{branch}") == "1"
    assert other.digest not in github.repository.text(github.repository.source("staging"), branch)


@pytest.mark.parametrize("kind", FORGES, ids=lambda kind: kind.name)
def test_nothing_half_done_stays_when_the_pull_request_cannot_be_opened(
    tmp_path: Path, home: Home, bundles: list[Bundle], kind: type[Forge]
) -> None:
    with bench(tmp_path, kind, home) as made:
        assert made.forge is not None
        made.forge.faults.append((OPENS, Answer(403, {"message": "Forbidden"})))
        with pytest.raises(PromotionError, match=r"403 \(Forbidden\): .* may not do this"):
            made.propose(bundles[0])
        assert made.repository.branches() == ["main"]
        made.forge.faults.append(("POST .*statuses/.*", Answer(403, {"message": "Forbidden"})))
        with pytest.raises(PromotionError, match=r"is open, but its status could not be set: .* may not do this"):
            made.propose(bundles[0])
        made.propose(bundles[0])
        assert [request.state for request in made.forge.requests] == ["open"]
        assert made.forge.merge(request_of(made))


@pytest.mark.parametrize("kind", FORGES, ids=lambda kind: kind.name)
def test_a_pull_request_whose_answer_was_lost_is_taken_up(
    tmp_path: Path, home: Home, bundles: list[Bundle], kind: type[Forge]
) -> None:
    with bench(tmp_path, kind, home) as made:
        assert made.forge is not None
        made.forge.lost.append(OPENS)
        assert made.propose(bundles[0]).proposed
        assert [request.state for request in made.forge.requests] == ["open"]
        assert made.forge.merge(request_of(made))


def test_a_forge_that_fails_may_have_opened_it_so_the_branch_stays(github: Bench, bundles: list[Bundle]) -> None:
    assert github.forge is not None
    github.forge.faults.append((OPENS, Answer(502, b"<html>Bad gateway</html>")))
    with pytest.raises(PromotionError, match=r"does not work now \(502\); try again"):
        github.propose(bundles[0])
    branch = f"rankloop/staging/{short(bundles[0].digest)}"
    head = github.repository.head(branch)
    assert head
    github.propose(bundles[0])
    assert github.repository.head(branch) == head
    assert github.forge.merge(request_of(github))


def test_a_refusal_leaves_the_pull_request_that_another_process_has_opened(
    github: Bench, bundles: list[Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    forge, opened = github.forge, GitHub.open
    assert forge is not None

    def refused(client: GitHub, branch: str, title: str, text: str) -> PullRequest:
        """Let another process adopt the branch before this one is refused."""
        monkeypatch.setattr(GitHub, "open", opened)
        github.propose(bundles[0])
        forge.faults.append((OPENS, Answer(403, {"message": "Too many changes"})))
        return client.open(branch, title, text)

    monkeypatch.setattr(GitHub, "open", refused)
    assert github.propose(bundles[0]).proposed
    assert [request.state for request in forge.open_of()] == ["open"]


def test_a_branch_that_was_pushed_by_a_run_that_ended_there_gets_its_pull_request(
    github: Bench, bundles: list[Bundle]
) -> None:
    alone = replace(github.environments, forge=None)
    environments = github.environments
    from components.gitops.request_text import Change

    alone.propose(Change("promote", "staging", bundles[0], None), NOW)
    head = github.repository.head(f"rankloop/staging/{short(bundles[0].digest)}")
    environments.propose(Change("promote", "staging", bundles[0], None), NOW)
    assert github.repository.head(f"rankloop/staging/{short(bundles[0].digest)}") == head
    assert request_of(github).state == "open"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"manifests/overlays/staging/bundle.yaml": "- op: add\n"},
            "found 0 lines like `value: sha256:…`",
        ),
        (
            {"manifests/overlays/staging/bundle.yaml": 2 * BUNDLE_YAML.format(digest=NOTHING)},
            "found 2 lines like `value: sha256:…`, expected one",
        ),
        (
            {"manifests/rendered/staging/rollout-rankloop.yaml": "kind: Rollout\n"},
            "found 0 lines like `value: 0000000000000000…`, expected one, .*`rankloop render`",
        ),
        (
            {"manifests/rendered/staging/other.yaml": ROLLOUT_YAML.format(digest=NOTHING)},
            "found 2 lines like `value: 0000000000000000…`, expected one",
        ),
    ],
)
def test_lines_that_are_not_as_they_should_be_are_reported(
    github: Bench, bundles: list[Bundle], files: dict[str, str], message: str
) -> None:
    github.repository.commit(files, "A mistake")
    with pytest.raises(PromotionError, match=message):
        github.propose(bundles[0])
    assert github.repository.branches() == ["main"]


def test_a_mistake_that_was_corrected_stops_neither_a_rollback_nor_a_promotion(
    github: Bench, bundles: list[Bundle]
) -> None:
    first, second, third, fourth = bundles[:4]
    source = github.repository.source("staging")
    github.repository.set_live("staging", first.digest)
    github.propose(fourth)
    github.repository.commit({source: "- op: add\n"}, "A mistake")
    with pytest.raises(PromotionError, match="found 0 lines"):
        github.environments.pointer("staging")
    # Somebody's pull request begins at the mistake; its branch makes of it what it should.
    github.repository.git("branch", f"rankloop/staging/{short(third.digest)}", "main")
    assert github.forge is not None
    github.forge.opened(f"rankloop/staging/{short(third.digest)}", "By hand", "")
    github.repository.set_live("staging", second.digest)
    assert [move.bundle for move in github.environments.pointer("staging").moves] == [first.digest, second.digest]
    assert github.go_back().proposed == first.digest
    assert [request.state for request in github.forge.requests] == ["open", "open", "open"]


def test_an_environment_without_an_overlay_is_reported(github: Bench, bundles: list[Bundle]) -> None:
    with pytest.raises(PromotionError, match=r"manifests/overlays/blue/bundle\.yaml: found no such file in the branch"):
        github.propose(bundles[0], "blue")


def test_a_rollback_of_what_was_changed_meanwhile_is_refused(github: Bench, bundles: list[Bundle]) -> None:
    from components.gitops.request_text import Change

    github.repository.set_live("staging", bundles[1].digest)
    with pytest.raises(PromotionError, match="staging has changed meanwhile"):
        github.environments.propose(Change("rollback", "staging", bundles[0], bundles[2].digest), NOW)


def test_a_forks_pull_request_is_not_taken_for_ones_own(tmp_path: Path, home: Home, bundles: list[Bundle]) -> None:
    for kind in FORGES:
        (tmp_path / kind.name).mkdir()
        with bench(tmp_path / kind.name, kind, home) as made:
            assert made.forge is not None
            branch = f"rankloop/staging/{short(bundles[0].digest)}"
            made.forge.opened(branch, "From a fork", "").from_fork = True
            made.forge.requests[0].state = "closed"
            assert made.propose(bundles[0]).proposed
            assert len(made.forge.requests) == 2


def test_a_pull_request_that_is_closed_while_it_is_renewed_is_not_taken_for_one_that_a_person_closed(
    github: Bench, bundles: list[Bundle]
) -> None:
    old, live = bundles[0], bundles[1]
    github.propose(old)
    github.repository.set_live("staging", live.digest)
    # Another process closes it as overtaken after this one has seen it open, and before it writes the new text.
    github.git.before_push = lambda: github.propose(live)
    assert github.propose(old).link == "https://github.test/shop/deploy/pull/2"
    assert [request_of(github, number).state for number in (1, 2)] == ["closed", "open"]
