"""What became of a canary, read from the objects of Argo Rollouts 1.8 and 1.9.

An analysis that failed in ``requests`` alone, or could not be made, says nothing about the bundle: there were too few
requests, or no Prometheus. One that failed in any other metric says that the canary was worse than what serves. A
canary whose pods never became ready has failed too: Rollouts takes it back at its deadline, without an analysis.
"""

import json
import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from components.bundles.digest import FULL, PREFIX

ROLLOUT = "rankloop"
REQUESTS = "requests"  # the metric that says whether there were enough of them
READY = "ready"  # the name of a failure that no analysis has found
NEVER_READY = "has timed out progressing"  # what the controller says then
HASH = "rollouts-pod-template-hash"
BUNDLE = "RANKLOOP_BUNDLE"
UNJUDGED = frozenset({"Failed", "Error", "Inconclusive"})
INCONCLUSIVE_PAUSE = "InconclusiveAnalysis"
ARGUMENT = re.compile(r"\{\{ *args\.([\w-]+) *\}\}")
LIMIT = re.compile(r"(?:len\(result\) > 0 && )?result(?:\[0\])? *(<=|<|>=|>) *([-+\w.]+)")
LIMIT_WORDS = {"<=": "at most", "<": "less than", ">=": "at least", ">": "more than"}

Document = Mapping[str, Any]
State = Literal["at work", "through", "scaling", "failed", "not judged", "aborted"]


@dataclass(frozen=True)
class Failure:
    """A metric in which a canary failed, or READY."""

    metric: str
    value: str  # as it was measured last; empty if it was not kept
    limit: str
    at: str  # ISO 8601, by the cluster's clock
    run: str  # the AnalysisRun's name; empty for READY
    uid: str  # of the AnalysisRun, or what is as unique

    @property
    def sentence(self) -> str:
        """Return what was found and what was expected."""
        found = self.value or "a value that was not kept"
        source = f"AnalysisRun {self.run}, {self.at}" if self.run else self.at
        return f"{self.metric} was {found}, expected {self.limit} ({source})"


@dataclass(frozen=True)
class Canary:
    """The pods that a Rollout makes of its template, beside the stable ones."""

    state: State
    bundle: str | None  # digest that the template names
    image: str
    stable: str | None  # digest that the stable pods serve
    failure: Failure | None = None
    message: str = ""  # the controller's
    since: datetime | None = None  # when it was aborted
    retry: tuple[tuple[str, Any], ...] = ()  # what its status is patched with for another try
    has_other_changes: bool = False  # its template differs from the stable pods' in more than the bundle

    @property
    def is_new_bundle(self) -> bool:
        """Return whether the canary serves another bundle than the stable pods, and not only other code."""
        return self.bundle is not None and self.bundle != self.stable


def read_canary(rollout: Document, runs: Iterable[Document], sets: Iterable[Document]) -> Canary:
    """Read a Rollout, with the AnalysisRuns and the ReplicaSets of its namespace."""
    status, container = rollout.get("status") or {}, _container(rollout)
    by_hash = {_labels(one).get(HASH): one for one in sets}
    stable, new = by_hash.get(status.get("stableRS")), by_hash.get(status.get("currentPodHash"))
    canary = Canary("at work", bundle_of(rollout), container.get("image", ""), bundle_of(stable) if stable else None)
    if stable and new:
        canary = replace(canary, has_other_changes=_without_bundle(stable) != _without_bundle(new))
    is_new = status.get("observedGeneration") != str(rollout["metadata"].get("generation"))
    if is_new or (stable is None and status.get("stableRS")):  # the controller, or this look, is not through yet
        return canary
    failures = [one for run in runs if _is_current(run, rollout) for one in _failures(run)]
    phases = {_phase(run) for run in runs if _is_current(run, rollout)}
    return _judged(canary, status, phases, next(iter([*failures, *_never_ready(rollout)]), None))


def bundle_of(workload: Document) -> str | None:
    """Return the digest that a workload's pod template names."""
    variables = _container(workload).get("env") or ()
    value = next((one.get("value") for one in variables if one.get("name") == BUNDLE), None)
    return value if value and FULL.fullmatch(value) else None


def _without_bundle(workload: Document) -> str:
    """Return the pod template of a ReplicaSet without what names its bundle and itself."""
    template = workload["spec"]["template"]
    labels = {name: value for name, value in template["metadata"]["labels"].items() if name != HASH}
    text = json.dumps([labels, template["metadata"].get("annotations"), template["spec"]], sort_keys=True)
    return text.replace((bundle_of(workload) or "").removeprefix(PREFIX) or BUNDLE, BUNDLE)


def _judged(canary: Canary, status: Document, phases: AbstractSet[str], failure: Failure | None) -> Canary:
    message = status.get("message", "")
    pauses = {one.get("reason"): one for one in status.get("pauseConditions") or ()}
    if status.get("abort"):
        ended = replace(canary, message=message, since=_moment(status.get("abortedAt")))
        if failure:
            return replace(ended, state="failed", failure=failure)
        if phases & UNJUDGED:
            return replace(ended, state="not judged", retry=(("abort", False),))
        return replace(ended, state="aborted")
    if INCONCLUSIVE_PAUSE in pauses:
        since = _moment(pauses[INCONCLUSIVE_PAUSE].get("startTime"))
        return replace(canary, state="not judged", message=message, since=since, retry=(("pauseConditions", None),))
    if status.get("currentPodHash") and status.get("stableRS") == status["currentPodHash"]:
        return replace(canary, state="through" if status.get("phase") == "Healthy" else "scaling")
    return canary


def _never_ready(rollout: Document) -> Iterable[Failure]:
    """Yield a failure if the canary was aborted because its pods were not ready at their deadline."""
    status = rollout["status"]
    if status.get("abort") and NEVER_READY in status.get("message", ""):
        seconds, at = rollout["spec"].get("progressDeadlineSeconds", 600), status.get("abortedAt", "")
        yield Failure(READY, "false", f"true within {seconds} s", at, "", f"{status.get('currentPodHash')} {at}")


def _failures(run: Document) -> Iterable[Failure]:
    """Yield the metrics in which an analysis failed, without the one that counts requests and those on trial."""
    for result in (run.get("status") or {}).get("metricResults") or ():
        if result.get("phase") == "Failed" and result["name"] != REQUESTS and not result.get("dryRun"):
            bad = [one for one in result.get("measurements") or () if one.get("phase") == "Failed"]
            last = bad[-1] if bad else {}
            at = last.get("finishedAt") or run["status"].get("completedAt") or run["metadata"]["creationTimestamp"]
            value, limit = _plain_value(last.get("value", "")), _limit(run, result["name"])
            yield Failure(result["name"], value, limit, at, run["metadata"]["name"], run["metadata"]["uid"])


def _limit(run: Document, metric: str) -> str:
    """Return the condition of a metric in words, with the arguments of its run."""
    specification: Document = next((one for one in run["spec"]["metrics"] if one["name"] == metric), {})
    arguments = {one["name"]: one.get("value", "") for one in run["spec"].get("args") or ()}
    success = specification.get("successCondition")
    condition = " ".join((success or specification.get("failureCondition") or "").split())
    condition = ARGUMENT.sub(lambda match: arguments.get(match[1], match[0]), condition)
    simple = LIMIT.fullmatch(condition)
    if simple and success:
        return f"{LIMIT_WORDS[simple[1]]} {simple[2]}"
    return condition if success else f"not {condition}"


def _plain_value(value: str) -> str:
    """Return a measured value: Prometheus answers with a vector, of one number here."""
    inner = value.strip().removeprefix("[").removesuffix("]")
    try:
        return f"{float(inner):.4g}"
    except ValueError:
        return value


def _is_current(run: Document, rollout: Document) -> bool:
    """Return whether an AnalysisRun is one of those that the Rollout names as its canary's."""
    canary = rollout["status"].get("canary") or {}
    names = {(canary.get(f"current{kind}AnalysisRunStatus") or {}).get("name") for kind in ("Step", "Background")}
    owners = {owner["uid"] for owner in run["metadata"].get("ownerReferences") or () if owner.get("controller")}
    is_ours = rollout["metadata"]["uid"] in owners
    return (
        is_ours
        and run["metadata"]["name"] in names
        and _labels(run).get(HASH) == rollout["status"].get("currentPodHash")
    )


def _container(workload: Document) -> Document:
    template = (workload.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or [{}]
    return next((one for one in containers if one.get("name") == ROLLOUT), containers[0])


def _labels(document: Document) -> Document:
    return document["metadata"].get("labels") or {}


def _phase(run: Document) -> str:
    return str((run.get("status") or {}).get("phase", ""))


def _moment(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written) if written else None
