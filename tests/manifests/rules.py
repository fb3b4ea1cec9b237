"""What each account may do, as the API server itself says; committed, so that every change of a right is read.

::

    python -m tests.manifests.rules     writes rules.yaml after a change of rights
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes.server import Cluster, kubernetes_server
from tests.manifests.overlays import moved, overlay

RULES = Path(__file__).with_name("rules.yaml")
NAMESPACE = "accounts"
HEADER = "# The whole rules review of each account. Written by `python -m tests.manifests.rules`; do not edit.\n"


def applied(cluster: Cluster) -> Cluster:
    """Apply the local overlay to the namespace that the reviews are about."""
    cluster.apply(*moved(overlay("local"), NAMESPACE))
    return cluster


def reviewed_rules(cluster: Cluster) -> dict[str, Any]:
    """Return what each account of the namespace may do there, in the server's words, in a fixed order."""
    accounts = [account["metadata"]["name"] for account in cluster.get("serviceaccounts", "--namespace", NAMESPACE)]
    return {account: _rules(cluster, account) for account in sorted(accounts)}


def _rules(cluster: Cluster, account: str) -> dict[str, Any]:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": NAMESPACE},
    }
    impersonating = f"--as=system:serviceaccount:{NAMESPACE}:{account}"
    path = "--raw=/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    answer = cluster.kubectl("create", impersonating, path, "--filename=-", document=json.dumps(review))
    status = json.loads(answer.stdout)["status"]
    return {kind: sorted(status[kind], key=repr) for kind in ("resourceRules", "nonResourceRules")}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, kubernetes_server(Path(folder)) as server:
        RULES.write_text(HEADER + yaml.safe_dump(reviewed_rules(applied(server))))
