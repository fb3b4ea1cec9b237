"""What a namespace must have for runs: fences that let them through, and what the steps refer to."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import yaml

from components.bundles.signing.home_key import KEY_VARIABLE, KEYS_VARIABLE
from components.bundles.signing.keys import PUBLIC_MARK
from components.contracts.images import image
from pipelines.cluster.api import Cluster, DeniedError, Document
from pipelines.finding import Finding
from pipelines.kubernetes import GROUP, LARGE, NAME, RESTRICTED, USER

APPLY = "apply manifests/base/namespace"
TAKE_KEYS = "take manifests/components/signing in the overlay, and apply it"
COUNTED = ("requests.", "limits.")
ACCOUNTS = (f"{NAME}-training", f"{NAME}-monitoring")
OPENINGS = {
    "DNS": (53, 5353, 8053),
    "the API server": (443, 6443),
    "Kubeflow's API": (8887, 8888),
    "its metadata": (8080,),
}


def absent(cluster: Cluster) -> Iterator[Finding]:
    """Say that there is no such namespace."""
    yield Finding("namespace", False, f"there is no namespace {cluster.namespace}", APPLY)


def pod_security(cluster: Cluster) -> Iterator[Finding]:
    """Look at the level that the namespace enforces."""
    namespace = cluster.get(f"/api/v1/namespaces/{cluster.namespace}") or {"metadata": {}}
    level = (namespace["metadata"].get("labels") or {}).get("pod-security.kubernetes.io/enforce", "privileged")
    fix = "" if level == "restricted" else f"label it pod-security.kubernetes.io/enforce=restricted, or {APPLY}"
    yield Finding("pod security", not fix, f"{level} is enforced", fix, needed=False)


def largest_step(cluster: Cluster) -> Iterator[Finding]:
    """Let the server judge a pod with the context and the limits of our largest step, without making it."""
    path = f"/api/v1/namespaces/{cluster.namespace}/pods?dryRun=All"
    try:
        cluster.ask("POST", path, _pod())
    except DeniedError as error:
        refused = str(error)
        if "cannot create resource" in refused:
            raise
        found = f"its pod is refused: {refused}"
        yield Finding("largest step", False, found, advice_for(refused), needed=not _is_full(refused))
        return
    yield Finding("largest step", True, f"its pod ({LARGE.memory} of memory) is admitted")


def _is_full(refused: str) -> bool:
    return "exceeded quota" in refused


def advice_for(refused: str) -> str:
    """Return what to do where the API server refuses a step's pod, by its words."""
    if _is_full(refused):
        return "wait for other runs, or raise the ResourceQuota"
    if "PodSecurity" in refused:
        return "the namespace must not enforce more than restricted"
    return f"compare the namespace with manifests/base/namespace, or {APPLY}"


def _pod() -> Document:
    """Return a pod as KFP makes it of our largest step."""
    amounts = {"memory": LARGE.memory, "cpu": LARGE.processors[0]}
    limits = {"memory": LARGE.memory, "cpu": LARGE.processors[1]}
    container = {
        "name": "main",
        "image": image("steps"),
        "resources": {"requests": amounts, "limits": limits},
        "securityContext": RESTRICTED | {"runAsUser": USER, "runAsGroup": GROUP},
    }
    metadata = {"generateName": f"{NAME}-doctor-", "labels": {"app.kubernetes.io/part-of": NAME}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


def quota(cluster: Cluster) -> Iterator[Finding]:
    quotas, ranges = cluster.list("resourcequotas"), cluster.list("limitranges")
    counted = {name for quota in quotas for name in quota["spec"].get("hard", {}) if name.startswith(COUNTED)}
    defaults = [limit for one in ranges for limit in one["spec"]["limits"] if limit["type"] == "Container"]
    if counted and not any(limit.get("default") and limit.get("defaultRequest") for limit in defaults):
        found = (
            "a ResourceQuota counts processors or memory, and no LimitRange gives defaults: Kubeflow's pods never start"
        )
        yield Finding(
            "quota", False, found, f"{APPLY}/limits.yaml, or add a LimitRange with default and defaultRequest"
        )
        return
    yield Finding("quota", True, "with defaults for containers" if counted else "none counts processors or memory")
    yield from _room(quotas)


def _room(quotas: list[Document]) -> Iterator[Finding]:
    """Yield a finding where the largest step has no room at all, even if nothing else runs."""
    for quota in quotas:
        hard = quota["spec"].get("hard", {}).get("limits.memory")
        if hard and _quantity(hard) < _quantity(LARGE.memory):
            found = f"its limit of memory, {hard}, is less than the largest step's, {LARGE.memory}"
            yield Finding("quota", False, found, f"raise limits.memory of {quota['metadata']['name']}")


def _quantity(text: str) -> Decimal:
    from kubernetes.utils.quantity import parse_quantity

    amount: Decimal = parse_quantity(text)
    return amount


def kfp_launcher(cluster: Cluster) -> Iterator[Finding]:
    found = cluster.named("configmaps", "kfp-launcher")
    root = (found or {}).get("data", {}).get("defaultPipelineRoot", "")
    if not root:
        yield Finding("kfp-launcher", False, "says no defaultPipelineRoot", f"{APPLY}/kubeflow/launcher.yaml")
        return
    yield Finding("kfp-launcher", True, f"artifacts go to {root}")
    for name in sorted(_secrets((found or {}).get("data", {}).get("providers", ""))):
        well = cluster.named("secrets", name) is not None
        fix = "" if well else f"create the Secret {name}, or name another in kfp-launcher"
        yield Finding("kfp-launcher", well, f"Secret {name} {'exists' if well else 'is missing'}", fix)


def _secrets(providers: str) -> set[str]:
    """Return the names of the Secrets that the configuration of providers refers to."""
    names = set()

    def search(document: Any) -> None:
        if isinstance(document, dict):
            names.update({document["secretName"]} if isinstance(document.get("secretName"), str) else set())
        for one in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
            search(one)

    try:
        search(yaml.safe_load(providers))
    except yaml.YAMLError:
        return set()
    return names


def names(cluster: Cluster) -> Iterator[Finding]:
    """Look for what the tasks name: accounts, the environment and the shop file."""
    there = f"--namespace {cluster.namespace}"
    fixes = {("serviceaccounts", name): APPLY for name in ACCOUNTS} | {
        ("configmaps", NAME): "apply an overlay, such as manifests/overlays/local",
        ("configmaps", f"{NAME}-shop"): f"kubectl create configmap {NAME}-shop --from-file shop.toml {there}",
        ("secrets", NAME): f"kubectl create secret generic {NAME} --from-literal=AWS_ACCESS_KEY_ID=… {there}",
    }
    wrong = [finding for (kind, name), fix in fixes.items() for finding in _absent(cluster, kind, name, fix)]
    yield from wrong or [Finding("names", True, "accounts, environment and shop file are there")]


def keys(cluster: Cluster) -> Iterator[Finding]:
    """Look for what bundles are signed and verified with: needed if the ConfigMap names it."""
    data = (cluster.named("configmaps", NAME) or {}).get("data") or {}
    create = f"kubectl create secret generic {NAME}-signing --from-file signing.pem --namespace {cluster.namespace}"
    signing = _unusable(cluster, "secrets", f"{NAME}-signing", create, KEY_VARIABLE, data)
    verifying = list(_unusable(cluster, "configmaps", f"{NAME}-keys", TAKE_KEYS, KEYS_VARIABLE, data))
    wrong = [*signing, *(verifying or _keyless(cluster))]
    yield from wrong or [Finding("keys", True, "bundles are signed and verified")]


def _unusable(
    cluster: Cluster, kind: str, name: str, fix: str, variable: str, data: dict[str, str]
) -> Iterator[Finding]:
    """Yield a finding if an object is not there, or the ConfigMap's data name it by no variable."""
    missing = list(_absent(cluster, kind, name, fix, "keys", needed=variable in data))
    yield from missing
    if not missing and variable not in data:
        yield Finding("keys", False, f"configmap {NAME} says no {variable}", TAKE_KEYS, needed=False)


def _keyless(cluster: Cluster) -> Iterator[Finding]:
    """Yield a finding if the ConfigMap of public keys holds none, as before its file was replaced."""
    files = (cluster.named("configmaps", f"{NAME}-keys") or {}).get("data") or {}
    if not any(PUBLIC_MARK.decode() in text for text in files.values()):
        fix = "write the public key to manifests/components/signing/signing.pub, and apply it"
        yield Finding("keys", False, f"configmap {NAME}-keys holds no public key", fix)


def _absent(
    cluster: Cluster, kind: str, name: str, fix: str, subject: str = "names", needed: bool = True
) -> Iterator[Finding]:
    """Yield a finding if an object is not there, or may not be looked at, as Secrets by the ClusterRole view."""
    try:
        if cluster.named(kind, name) is None:
            yield Finding(subject, False, f"missing: {kind[:-1]} {name}", fix, needed=needed)
    except DeniedError as error:
        yield Finding(subject, False, f"not examined: {error}", "ask an administrator to look", needed=False)


def egress(cluster: Cluster) -> Iterator[Finding]:
    """Look whether a namespace that lets nothing out has the openings that Kubeflow's pods need."""
    policies = [one["spec"] for one in cluster.list("networkpolicies", "apis/networking.k8s.io/v1")]
    leaving = [spec for spec in policies if "Egress" in spec.get("policyTypes", [])]
    if not leaving:
        found = "no NetworkPolicy bounds what pods reach"
        yield Finding("egress", False, found, f"{APPLY}/network", needed=False)
        return
    rules = [rule for spec in leaving for rule in spec.get("egress") or []]
    opened = {port.get("port") for rule in rules for port in rule.get("ports") or []}
    closed = (
        []
        if any(not rule.get("ports") for rule in rules)
        else [
            f"{what} ({' or '.join(map(str, ports))})" for what, ports in OPENINGS.items() if opened.isdisjoint(ports)
        ]
    )
    fix = f"{APPLY}/network, or open them" if closed else ""
    yield Finding("egress", not closed, f"closed to {', '.join(closed)}" if closed else "open to what runs need", fix)
