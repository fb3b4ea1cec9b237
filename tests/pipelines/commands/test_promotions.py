"""Promotion and rollback from the command line, on a shop so small that simple rules serve it.

The gate lets a rule that lists what was bought go live where nothing, or another rule, is live: so both runs promote.
The second one's lists are shorter.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipelines.homes.tiny_shop import LivingHome, the_one_line

pytestmark = pytest.mark.slow(seconds=25)


@dataclass(frozen=True)
class TwoRuns:
    """A home whose first bundle lists ten items and whose second one five."""

    living: LivingHome
    first: str
    second: str

    def served(self) -> int:
        """How many items the live bundle lists."""
        return len(self.living.answer("recommend", "--user", "u0001"))


@pytest.fixture(scope="module")
def two_runs(baseline_home: LivingHome) -> TwoRuns:
    living = baseline_home
    reason = living.document["verdict"]["reasons"][0]
    assert reason.startswith("no model was trained: found ")
    assert "(training.min_requests)" in reason
    found = TwoRuns(living, living.document["bundle"]["digest"], "")
    assert found.served() == 10
    living.shop_file.write_text(f"k = 5\n{living.shop_file.read_text()}")
    return TwoRuns(living, found.first, living.run()["bundle"]["digest"])


def serving(two_runs: TwoRuns, bundle: str) -> dict[str, bool]:
    """The environments that ever served a bundle, and whether they still do."""
    found = two_runs.living.answer("bundle", bundle)["environments"]
    return {environment: served["live"] for environment, served in found.items()}


def test_a_bundle_tells_what_it_holds_where_it_came_from_and_why_it_may_go_live(two_runs: TwoRuns) -> None:
    document = two_runs.living.answer("bundle", two_runs.first.removeprefix("sha256:")[:12])
    assert document["digest"] == two_runs.first
    assert (document["manifest"]["kind"], document["manifest"]["k"]) == ("baseline", 10)
    assert document["origin"]["run_id"] == two_runs.living.document["run_id"]
    assert document["verdict"]["promote"]
    assert document["training"]["reason"] in document["verdict"]["checks"][0]["reason"]
    assert document["files"]["manifest.json"] > 0
    words = two_runs.living.rankloop("bundle", two_runs.first).stdout
    assert "the gate lets it go live" in words
    assert "✓ no model was trained" in words
    assert "found 0 bundles" in the_one_line(two_runs.living.rankloop("bundle", "sha256:beef"), code=1)


def test_a_run_promotes_what_the_gate_lets_pass_and_a_rollback_takes_it_back(two_runs: TwoRuns) -> None:
    assert two_runs.served() == 5
    assert serving(two_runs, two_runs.second) == {"local": True}
    back = two_runs.living.answer("rollback")
    assert serving(two_runs, two_runs.first) == {"local": True}
    assert serving(two_runs, two_runs.second) == {"local": False}
    assert (back["before"], back["after"], back["moved"]) == (two_runs.second, two_runs.first, True)
    assert two_runs.served() == 10
    assert "local: found only" in the_one_line(two_runs.living.rankloop("rollback"), code=1)
    assert two_runs.served() == 10


def test_a_bundle_is_promoted_by_name_into_an_environment_of_its_own(two_runs: TwoRuns) -> None:
    living = two_runs.living
    assert "staging: found nothing promoted" in the_one_line(living.rankloop("rollback", "--env", "staging"), code=1)
    moved = living.answer("promote", two_runs.first, "--env", "staging")
    assert (moved["before"], moved["after"], moved["moved"]) == (None, two_runs.first, True)
    again = living.answer("promote", two_runs.first.removeprefix("sha256:")[:12], "--env", "staging")
    assert not again["moved"]
    moved = living.answer("promote", "latest", "--env", "staging")
    assert (moved["before"], moved["after"]) == (two_runs.first, two_runs.second)
    back = living.answer("rollback", "--env", "staging")
    assert back["after"] == two_runs.first


def test_a_bundle_is_verified_offline_and_says_what_it_was_made_of(two_runs: TwoRuns) -> None:
    living = two_runs.living
    document = living.answer("verify-bundle", two_runs.first, "--env", "production")
    assert (document["digest"], document["passed"]) == (two_runs.first, True)
    reasons = {check["name"]: check["reason"] for check in document["checks"]}
    assert list(reasons) == ["signature", "provenance", "content"]
    assert f"run {living.document['run_id']} made it of table events at version " in reasons["provenance"]
    assert "uv.lock" in reasons["provenance"]


def test_what_is_wrong_with_a_bundle_is_said_line_by_line(two_runs: TwoRuns) -> None:
    living = two_runs.living
    manifest = Path(living.answer("bundle", two_runs.first)["folder"]) / "manifest.json"
    content = manifest.read_bytes()
    manifest.write_bytes(content.replace(b'"popularity"', b'"popularitz"', 1))
    try:
        done = living.rankloop("verify-bundle", two_runs.first[7:19])
        assert done.returncode == 1
        lines = [line.split(":")[0].strip() for line in done.stdout.splitlines()[1:]]
        assert lines == ["✗ signature", "✓ provenance", "✗ content"]
        assert "model.sig: was made for other content of manifest.json" in done.stdout
    finally:
        manifest.write_bytes(content)
