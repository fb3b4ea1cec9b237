"""What the accounts may and may not do, asked of the API server."""

from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.kubernetes.server import Cluster
from tests.manifests.rules import NAMESPACE, RULES, applied, reviewed_rules

KUBEFLOW, ARGO = "pipelines.kubeflow.org", "argoproj.io"
ACCOUNTS = ("default", "rankloop-monitoring", "rankloop-schedules", "rankloop-serving", "rankloop-training")


@dataclass(frozen=True)
class Request:
    """A request to the API server: a verb, a resource, its group and, where one is meant, its name."""

    verb: str
    resource: str
    group: str = ""
    name: str = ""
    namespace: str = NAMESPACE

    def review(self, account: str) -> dict[str, Any]:
        """Return the question whether an account may do this."""
        resource, _, part = self.resource.partition("/")
        attributes = {"verb": self.verb, "resource": resource, "subresource": part, "group": self.group}
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{NAMESPACE}:{account}",
                "groups": ["system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", "system:authenticated"],
                "resourceAttributes": attributes | {"name": self.name, "namespace": self.namespace},
            },
        }


RUN = {
    Request("get", "configmaps", name="kfp-launcher"),
    Request("create", "workflowtaskresults", ARGO),
    Request("patch", "workflowtaskresults", ARGO),
}
SCHEDULES = {
    *(Request(verb, "jobs", KUBEFLOW) for verb in ("list", "create", "enable", "disable", "delete")),
    *(Request("create", kind, KUBEFLOW) for kind in ("pipelines", "experiments")),
}
WORK = {
    "rankloop-training": RUN,
    "rankloop-monitoring": RUN,
    "rankloop-schedules": SCHEDULES,
    "rankloop-serving": set[Request](),
    "default": set[Request](),
}
FORBIDDEN = {
    Request("get", "secrets", name="rankloop"),
    Request("list", "secrets"),
    Request("list", "configmaps"),
    Request("get", "configmaps", name="rankloop"),
    Request("patch", "configmaps", name="kfp-launcher"),
    Request("get", "configmaps", name="kfp-launcher", namespace="kube-system"),
    Request("create", "pods"),
    Request("create", "pods/exec"),
    Request("get", "pods/log"),
    Request("create", "serviceaccounts/token"),
    Request("impersonate", "serviceaccounts"),
    Request("patch", "networkpolicies", "networking.k8s.io"),
    Request("delete", "resourcequotas"),
    Request("create", "rolebindings", "rbac.authorization.k8s.io"),
    Request("create", "workflows", ARGO),
    Request("create", "pipelineversions", KUBEFLOW),
    Request("create", "runs", KUBEFLOW),
    Request("delete", "runs", KUBEFLOW),
    Request("list", "namespaces", namespace=""),
}


@pytest.fixture(scope="module")
def accounts(cluster: Cluster) -> Cluster:
    return applied(cluster)


def test_the_rules_of_each_account_are_the_committed_ones(accounts: Cluster) -> None:
    rules = yaml.safe_load(RULES.read_text())
    assert reviewed_rules(accounts) == rules
    assert set(rules) == set(ACCOUNTS)


@pytest.mark.parametrize("account", ACCOUNTS)
def test_an_account_may_do_its_work_and_no_more(accounts: Cluster, account: str) -> None:
    every = FORBIDDEN.union(*WORK.values())
    assert _allowed(accounts, account, every) == WORK[account]


def test_a_runs_own_token_reads_the_launchers_settings_and_no_secret(accounts: Cluster) -> None:
    token = accounts.kubectl("create", "token", "rankloop-training", f"--namespace={NAMESPACE}").stdout.strip()
    as_run = (f"--token={token}", f"--namespace={NAMESPACE}", f"--server={accounts.url}", "--user=")
    settings = accounts.kubectl("get", "configmap", "kfp-launcher", "--output=name", *as_run)
    assert settings.stdout.strip() == "configmap/kfp-launcher", settings.stderr
    secrets = accounts.kubectl("get", "secrets", *as_run)
    assert f'"system:serviceaccount:{NAMESPACE}:rankloop-training" cannot list resource "secrets"' in secrets.stderr


def _allowed(cluster: Cluster, account: str, requests: set[Request]) -> set[Request]:
    """Return the requests that the server would allow to an account."""
    ordered = sorted(requests, key=repr)
    reviews = yaml.safe_dump_all(request.review(account) for request in ordered)
    answer = cluster.kubectl("create", "--output=yaml", "--validate=false", "--filename=-", document=reviews)
    assert answer.returncode == 0, answer.stderr
    verdicts = [review["status"]["allowed"] for review in yaml.safe_load_all(answer.stdout)]
    return {request for request, allowed in zip(ordered, verdicts, strict=True) if allowed}
