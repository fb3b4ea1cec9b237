"""All checks of a cluster, one after another."""

from collections.abc import Callable, Iterator

from components.contracts.errors import RankloopError
from pipelines.cluster.api import Cluster, DeniedError, connect
from pipelines.cluster.namespace import absent, egress, keys, kfp_launcher, largest_step, names, pod_security, quota
from pipelines.cluster.outside import images, redis
from pipelines.cluster.platform import clock, kinds, webhook
from pipelines.finding import Finding

Check = Callable[[Cluster], Iterator[Finding]]
PLATFORM: tuple[Check, ...] = (clock, kinds, webhook)
NAMESPACE: tuple[Check, ...] = (pod_security, largest_step, quota, egress, kfp_launcher, names, keys)
OUTSIDE: tuple[Check, ...] = (images, redis)


def examine_cluster(namespace: str) -> list[Finding]:
    """Examine a namespace, what lies beneath it and what it needs from outside.

    Where the API server cannot be reached, or lets the account read nothing, that is the one finding.
    """
    try:
        cluster = Cluster(connect(), namespace)
        cluster.list("configmaps")
    except DeniedError as error:
        fix = f"ask its administrator for the ClusterRole view in {namespace}, or name another --namespace"
        return [Finding("cluster", False, f"this account may not look at it: {error}", fix)]
    except RankloopError as error:
        return [Finding("cluster", False, str(error))]
    checks = (*PLATFORM, *(NAMESPACE if _exists(cluster) else (absent,)), *OUTSIDE)
    return [finding for check in checks for finding in _run(check, cluster)]


def _exists(cluster: Cluster) -> bool:
    try:
        return cluster.get(f"/api/v1/namespaces/{cluster.namespace}") is not None
    except DeniedError:  # then the checks say themselves what they may see
        return True


def _run(check: Check, cluster: Cluster) -> Iterator[Finding]:
    try:
        yield from check(cluster)
    except DeniedError as error:
        subject = check.__name__.replace("_", " ")
        yield Finding(subject, False, f"not examined: {error}", "ask an administrator to look", needed=False)
    except RankloopError as error:
        yield Finding("cluster", False, str(error))
