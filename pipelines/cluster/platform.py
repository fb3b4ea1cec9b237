"""What a cluster must have beneath the namespace: a clock that agrees, Kubeflow's kinds, and its webhook."""

from collections.abc import Iterator
from datetime import UTC, datetime

from pipelines.cluster.api import Cluster, Document
from pipelines.finding import Finding

SKEW_SECONDS, S3_SKEW_SECONDS = 10, 900  # S3 refuses requests of a clock that is a quarter of an hour off
NATIVE = "pipelines.kubeflow.org/v2beta1"  # of KFP's Kubernetes-native mode
GROUPS = {
    NATIVE: ("pipelines", "pipelineversions"),
    "kubeflow.org/v1beta1": ("scheduledworkflows",),
    "argoproj.io/v1alpha1": ("workflows",),
}


def clock(cluster: Cluster) -> Iterator[Finding]:
    answer = cluster.ask("GET", "/version")
    version = answer.document.get("gitVersion", "?") if answer else "?"
    yield Finding("cluster", True, f"Kubernetes {version}, namespace {cluster.namespace}")
    if answer is None or answer.moment is None:
        return
    skew = (answer.moment - datetime.now(UTC)).total_seconds()
    found = f"the API server's is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    fix = "" if abs(skew) <= SKEW_SECONDS else "set this machine's clock"
    yield Finding("clock", not fix, found, fix, needed=abs(skew) > S3_SKEW_SECONDS)


def kinds(cluster: Cluster) -> Iterator[Finding]:
    """Ask which kinds the server knows: everybody who has an account may."""
    missing = {group: lacking for group, names in GROUPS.items() if (lacking := _lacking(cluster, group, names))}
    if not missing:
        yield Finding("kinds", True, ", ".join(name for names in GROUPS.values() for name in names))
        return
    named = ", ".join(f"{name} of {group}" for group, names in missing.items() for name in names)
    fix = "install Kubeflow Pipelines 2.17 or newer; for pipelines from Git, in its Kubernetes-native mode"
    yield Finding("kinds", False, f"missing: {named}", fix, needed=set(missing) != {NATIVE})


def _lacking(cluster: Cluster, group: str, kinds: tuple[str, ...]) -> list[str]:
    known = {one["name"] for one in (cluster.get(f"/apis/{group}") or {}).get("resources", [])}
    return [kind for kind in kinds if kind not in known]


def webhook(cluster: Cluster) -> Iterator[Finding]:
    """Look whether a pipeline version is checked when it is made."""
    listed = cluster.get("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations") or {}
    hooks = [hook for one in listed.get("items") or [] for hook in one.get("webhooks") or []]
    ours = [hook for hook in hooks if _watches(hook, "pipelineversions")]
    if not ours:
        found = "nothing checks pipeline versions, so that a wrong one fails only when it runs"
        yield Finding("webhook", False, found, "install KFP's webhook of its Kubernetes-native mode", needed=False)
        return
    trusted = all(hook["clientConfig"].get("caBundle") for hook in ours)
    fix = "" if trusted else "let cert-manager fill in its caBundle; until then every pipeline version is refused"
    yield Finding("webhook", trusted, "pipeline versions are checked" if trusted else "has no certificate", fix)


def _watches(hook: Document, kind: str) -> bool:
    return any(kind in rule.get("resources", []) for rule in hook.get("rules") or [])
