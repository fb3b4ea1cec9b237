"""What became of a canary, by what Argo Rollouts writes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from components.gitops.canary import Canary, Failure, read_canary
from tests.components.gitops.rollouts import (
    ABORTED_AT,
    CANARY_HASH,
    CONDITION,
    RUN,
    RUN_UID,
    STABLE_HASH,
    analysis_run,
    replica_set,
    result,
    rollout,
    status_aborted,
    status_at_work,
    status_through,
)

OLD, NEW = (f"sha256:{digit * 64}" for digit in "12")
SETS = [replica_set(STABLE_HASH, OLD), replica_set(CANARY_HASH, NEW)]
ERRORS = result("errors", "Failed", "[0.0]", "[0.03125]")
FEW = result("requests", "Failed", "[12]")


def read(status: dict[str, Any], *runs: dict[str, Any]) -> Canary:
    return read_canary(rollout(NEW, status), runs, SETS)


def test_a_canary_that_failed_says_in_what() -> None:
    canary = read(status_aborted("Failed"), analysis_run("Failed", FEW, ERRORS))
    assert (canary.state, canary.bundle, canary.stable) == ("failed", NEW, OLD)
    assert canary.failure == Failure("errors", "0.03125", "at most 0.01", ABORTED_AT, RUN, RUN_UID)
    assert canary.since == datetime(2026, 6, 10, 11, 59, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("phase", "results"),
    [
        ("Failed", [FEW]),
        ("Inconclusive", [result("requests", "Inconclusive", "[12]")]),
        ("Error", [result("errors", "Error", consecutiveError=5, error=5)]),
        ("Failed", [FEW, result("latency", "Failed", "[9]", dryRun=True)]),
        ("Failed", [FEW, result("errors", "Successful", "[0]")]),
    ],
)
def test_a_canary_that_could_not_be_judged_is_no_failure(phase: str, results: list[dict[str, Any]]) -> None:
    canary = read(status_aborted(phase), analysis_run(phase, *results))
    assert (canary.state, canary.failure, canary.retry) == ("not judged", None, (("abort", False),))


def test_a_pause_because_of_an_inconclusive_analysis_is_no_judgement() -> None:
    pause = {"reason": "InconclusiveAnalysis", "startTime": ABORTED_AT}
    canary = read(status_at_work() | {"pauseConditions": [pause]}, analysis_run("Inconclusive"))
    assert (canary.state, canary.retry) == ("not judged", (("pauseConditions", None),))


def test_pods_that_never_became_ready_are_a_failure() -> None:
    message = 'RolloutAborted: Rollout aborted update to revision 2: ReplicaSet "rankloop-7" has timed out progressing.'
    canary = read(status_aborted("Failed") | {"message": message}, analysis_run("Failed", FEW))
    assert canary.state == "failed"
    assert canary.failure is not None
    assert canary.failure.sentence == f"ready was false, expected true within 600 s ({ABORTED_AT})"
    again = read(status_aborted("Failed") | {"message": message, "abortedAt": "2026-06-11T11:59:30Z"})
    assert again.failure is not None
    assert again.failure.uid != canary.failure.uid


@pytest.mark.parametrize("phase", ["Successful", "Running"])
def test_an_abort_without_a_judgement_is_an_abort(phase: str) -> None:
    """By a person."""
    assert read(status_aborted(phase), analysis_run(phase)).state == "aborted"
    assert read(status_aborted(phase)).state == "aborted"


def test_an_analysis_of_somebody_else_or_of_an_earlier_try_says_nothing() -> None:
    other = analysis_run("Failed", ERRORS)
    other["metadata"]["ownerReferences"][0]["uid"] = "another"
    earlier = analysis_run("Failed", ERRORS, name=f"{RUN}.1")
    of_another_template = analysis_run("Failed", ERRORS)
    of_another_template["metadata"]["labels"]["rollouts-pod-template-hash"] = STABLE_HASH
    assert read(status_aborted("Failed"), other, earlier, of_another_template).state == "aborted"


def test_a_canary_that_is_through_has_all_pods() -> None:
    assert read(status_through()).state == "through"
    assert read(status_through() | {"phase": "Progressing"}).state == "scaling"
    assert read(status_through() | {"stableRS": STABLE_HASH}).state == "at work"
    assert read(status_at_work(), analysis_run("Running")).state == "at work"


def test_a_status_of_an_earlier_template_says_nothing() -> None:
    seen = rollout(NEW, status_aborted("Failed") | {"observedGeneration": "3"})
    assert read_canary(seen, [analysis_run("Failed", ERRORS)], SETS).state == "at work"
    del seen["status"]
    assert read_canary(seen, [], SETS).state == "at work"


def test_a_canary_of_other_code_is_no_new_bundle() -> None:
    sets = [replica_set(STABLE_HASH, NEW), replica_set(CANARY_HASH, NEW)]
    canary = read_canary(rollout(NEW, status_aborted("Failed")), [analysis_run("Failed", ERRORS)], sets)
    assert canary.state == "failed"
    assert not canary.is_new_bundle


def test_a_canary_with_another_bundle_and_other_changes_says_so() -> None:
    mounted = [replica_set(STABLE_HASH, OLD), replica_set(CANARY_HASH, NEW)]
    for each, bundle in zip(mounted, (OLD, NEW), strict=True):
        each["spec"]["template"]["spec"]["volumes"] = [{"image": {"reference": f"shop/bundles:bundle-{bundle[7:]}"}}]
    changed = [replica_set(STABLE_HASH, OLD), replica_set(CANARY_HASH, NEW, "registry.example.org/other@sha256:0")]
    for sets, has_other_changes in ((SETS, False), (mounted, False), (changed, True)):
        canary = read_canary(rollout(NEW, status_aborted("Failed")), [analysis_run("Failed", ERRORS)], sets)
        assert canary.has_other_changes is has_other_changes


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"successCondition": CONDITION}, "at most 0.01"),
        ({"successCondition": "result[0] < 2"}, "less than 2"),
        ({"successCondition": "all(result, # <= 1)"}, "all(result, # <= 1)"),
        ({"failureCondition": "result[0] > 5"}, "not result[0] > 5"),
    ],
)
def test_a_limit_is_said_in_words_where_it_is_one_number(condition: dict[str, str], said: str) -> None:
    run = analysis_run("Failed", ERRORS)
    run["spec"]["metrics"] = [{"name": "errors", "provider": {}} | condition]
    failure = read(status_aborted("Failed"), run).failure
    assert failure is not None
    assert failure.limit == said
