"""Recurring runs that outlived their namespace: Kubeflow lists them as before, and nothing starts their runs."""

from collections.abc import Callable, Iterable
from contextlib import suppress

from pipelines.cluster.api import Cluster, connect
from pipelines.kubeflow.pods import USUAL_NAMESPACE
from pipelines.schedules.planner import RecurringRun

ORPHANED = "starts nothing"
KINDS = "apis/kubeflow.org/v1beta1"


def orphans(
    runs: Iterable[RecurringRun], namespace: str | None, is_orphaned: Callable[[RecurringRun], bool]
) -> frozenset[str]:
    """Return the ids of enabled recurring runs that start nothing.

    KFP is asked about what the kubeconfig's cluster does not have: that may be another cluster than KFP's.
    """
    working = _scheduled_workflows(namespace)
    if working is None:
        return frozenset()
    return frozenset(run.id for run in runs if run.enabled and run.id not in working and is_orphaned(run))


def _scheduled_workflows(namespace: str | None) -> frozenset[str] | None:
    """Return the ids that KFP's controller works on, None where they cannot be seen from here."""
    place = namespace or USUAL_NAMESPACE
    with suppress(Exception):  # no kubeconfig, no rights, no answer
        listed = Cluster(connect(), place).get(f"/{KINDS}/namespaces/{place}/scheduledworkflows")
        return None if listed is None else frozenset(one["metadata"]["uid"] for one in listed["items"])
    return None
