"""Promotion and rollback from the command line where environments live in Git."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from components.bundles.digest import short
from components.bundles.environments import PointerFiles
from components.bundles.loading import Bundle
from components.bundles.signing.trust import OPTIONAL, SIGNATURES_VARIABLE
from components.contracts.errors import RankloopError
from components.contracts.handles import Handle
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import PromotionFacts
from components.gitops import settings as names
from components.gitops.places import live_digest
from components.home.layout import Home
from components.home.shop_note import ShopNote, write_shop_note
from components.propose_promotion.proposal import propose_promotion
from components.publish_bundle.publishing import publish_bundle
from pipelines.cli import rankloop
from tests.components.evaluate_ranker.judging import Bench as Gate
from tests.components.evaluate_ranker.judging import set_up
from tests.components.gitops.bench import NOW, Bench, bench, publish, verdict
from tests.forges.github import GitHub

pytestmark = pytest.mark.slow(seconds=8)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A home whose environments beside ``local`` live in Git."""
    home = Home(tmp_path / "home")
    write_shop_note(home, ShopNote("corner", "shop.toml"))
    with bench(tmp_path, GitHub, home) as made:
        for name, value in (made.variables | {names.STAGING_HOURS: "0", SIGNATURES_VARIABLE: OPTIONAL}).items():
            monkeypatch.setenv(name, value)
        yield made


def said(made: Bench, *arguments: str) -> Result:
    return CliRunner().invoke(rankloop, [*arguments, "--home", str(made.home.root)])


def answer(made: Bench, *arguments: str) -> Any:
    ended = said(made, *arguments, "--json")
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


def refusal(made: Bench, *arguments: str, code: int = 1) -> str:
    """The one line that a command ends with."""
    error = said(made, *arguments).exception
    assert isinstance(error, RankloopError)
    assert error.exit_code == code
    return str(error)


def merge(made: Bench) -> None:
    assert made.forge is not None
    assert made.forge.merge(made.forge.open_of()[-1])


def test_commands_propose_for_git_and_move_the_homes_pointer(made: Bench) -> None:
    bundles: list[Bundle] = [publish(made.home, number) for number in (1, 2)]
    first, second = (bundle.digest for bundle in bundles)
    change = answer(made, "promote", first, "--env", "production")
    assert (change["moved"], change["proposed"], change["link"]) == (
        False,
        first,
        "https://github.test/shop/deploy/pull/1",
    )
    shown = answer(made, "bundle", first)["environments"]
    assert shown == {"production": {"live": False, "state": "proposed", "link": change["link"]}}
    assert f"production: proposed, {change['link']}" in said(made, "bundle", first).output
    merge(made)
    answer(made, "promote", second, "--env", "production")
    merge(made)
    back = said(made, "rollback", "--env", "production")
    expected = f"{short(first)} is proposed for production, which goes on serving {short(second)} until it is merged: "
    assert back.output.strip() == f"{expected}https://github.test/shop/deploy/pull/3"
    assert not made.home.environments.exists()
    assert answer(made, "promote", first)["moved"]
    assert PointerFiles(made.home.environments).read("local").bundle == first


def test_what_is_not_promoted_is_told_in_one_line(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = publish(made.home, 1)
    refused = publish(made.home, 2, verdict=verdict(promote=False))
    for arguments, words in (
        (("promote", refused.digest, "--env", "production"), "the gate refused it"),
        (("promote", "sha256:beef", "--env", "production"), "found 0 bundles for 'sha256:beef'"),
        (("rollback", "--env", "production"), "production: found nothing promoted"),
    ):
        assert words in refusal(made, *arguments)
    monkeypatch.setenv(names.STAGING_HOURS, "24")
    assert "promote it there first" in refusal(made, "promote", bundle.digest, "--env", "production")
    monkeypatch.delenv(SIGNATURES_VARIABLE)
    assert "accepts signed bundles only" in refusal(made, "promote", bundle.digest, "--env", "production")
    monkeypatch.setenv(SIGNATURES_VARIABLE, OPTIONAL)
    (bundle.folder / "rank.ubj").write_bytes(b"{}")
    assert "changed after it was sealed" in refusal(made, "promote", bundle.digest, "--env", "production")
    assert made.repository.branches() == ["main"]
    monkeypatch.setenv(names.URL, "/srv/deploy.git")
    assert "RANKLOOP_GIT_URL: found" in refusal(made, "promote", bundle.digest, "--env", "production", code=2)


def test_a_bundle_is_shown_when_git_cannot_be_asked(made: Bench) -> None:
    bundle = publish(made.home, 1)
    made.git.breaks = "/info/refs"
    assert "not known of Git: http://127.0.0.1" in said(made, "bundle", bundle.digest).output


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    return set_up(tmp_path_factory.mktemp("gate"))


def proposed(gate: Gate, evaluation: Handle) -> StepResult[PromotionFacts]:
    published = publish_bundle(gate.shop, gate.home, gate.draft, evaluation, "run-2", NOW.isoformat(), None, print)
    return propose_promotion(
        gate.shop, gate.home, evaluation, published.handle, "staging", NOW.isoformat(), lambda _: None
    )


def test_a_run_proposes_what_the_gate_lets_pass_unless_the_live_bundle_has_changed(
    gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = gate.evaluate().handle
    other = publish(Home(tmp_path / "other"), 3).digest
    with bench(tmp_path, GitHub, gate.home) as made:
        for name, value in made.variables.items():
            monkeypatch.setenv(name, value)
        result = proposed(gate, evaluation)
        facts = result.facts
        assert (facts.moved, facts.proposed, facts.after) == (False, evaluation.digest, None)
        assert facts.link == "https://github.test/shop/deploy/pull/1"
        assert result.handle.uri == facts.repository
        assert made.forge is not None
        made.forge.requests[0].state = "closed"
        assert "reopen it there" in proposed(gate, evaluation).facts.reason
        made.repository.set_live("staging", other)
        assert live_digest(gate.home, "staging") == other
        outdated = proposed(gate, evaluation).facts
        assert (outdated.proposed, outdated.after) == (None, other)
        assert f"was judged when nothing was live, and staging serves {short(other)} now" in outdated.reason
