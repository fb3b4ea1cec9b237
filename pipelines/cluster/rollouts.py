"""The Rollout of the service and what belongs to its canary: read, watched, and asked for another try."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from components.gitops.canary import ROLLOUT, Canary, read_canary
from pipelines.cluster.api import Cluster, ClusterError, Document, refuse

ARGO = "apis/argoproj.io/v1alpha1"
ONE = f"fieldSelector=metadata.name={ROLLOUT}"  # the account may list this one alone
SECONDS = 60  # of a watch; Git may have changed without the cluster
GONE = 410
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True)
class Seen:
    """A canary as it was seen, by the server's clock."""

    canary: Canary
    version: str  # of the list that it was in
    at: datetime


class Rollouts:
    """The Rollout of one namespace."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._path = f"/{ARGO}/namespaces/{cluster.namespace}/rollouts"

    def look(self) -> Seen | None:
        """Return the canary as it is now; None if there is no such Rollout yet.

        Raises:
            ClusterError: the server cannot be reached or lacks the kinds of Argo Rollouts.
            DeniedError: the account may not look.
        """
        answer = self._cluster.ask("GET", f"{self._path}?{ONE}")
        if answer is None:
            raise ClusterError("the cluster knows no Rollouts; install Argo Rollouts 1.8 or newer")
        rollouts = answer.document["items"]
        if not rollouts:
            return None
        runs = self._cluster.list("analysisruns", ARGO)
        sets = self._cluster.list("replicasets", "apis/apps/v1")
        canary = read_canary(rollouts[0], runs, sets)
        return Seen(canary, answer.document["metadata"]["resourceVersion"], answer.moment or datetime.now(UTC))

    def wait(self, version: str) -> None:
        """Wait until the Rollout has changed since a version, and at most a minute.

        Raises:
            ClusterError, DeniedError: as ``look``.
        """
        next(self._changes(version), None)

    def retry(self, canary: Canary) -> None:
        """Ask the controller for another try, as its own `kubectl argo rollouts retry` does.

        Raises:
            ClusterError, DeniedError: as ``look``.
        """
        patch = {"status": dict(canary.retry)}
        self._cluster.ask("PATCH", f"{self._path}/{ROLLOUT}/status", patch, MERGE_PATCH)

    def _changes(self, version: str) -> Iterator[Document]:
        from kubernetes.client import CustomObjectsApi
        from kubernetes.client.exceptions import ApiException
        from kubernetes.watch import Watch
        from urllib3.exceptions import HTTPError

        listed = CustomObjectsApi(self._cluster.client).list_namespaced_custom_object
        place = ("argoproj.io", "v1alpha1", self._cluster.namespace, "rollouts")
        options = {"field_selector": f"metadata.name={ROLLOUT}", "resource_version": version}
        waits = {"timeout_seconds": SECONDS, "_request_timeout": 2 * SECONDS}
        try:
            yield from Watch().stream(listed, *place, **options, **waits)
        except ApiException as error:
            if error.status != GONE:  # then the version is too old: looking again says what has changed
                refuse(error)
        except (HTTPError, OSError) as error:
            raise self._cluster.unreachable(error) from error
