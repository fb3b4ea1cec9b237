"""`rankloop doctor --cluster`: each thing that is wrong with a cluster is one finding with its fix."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from components.contracts import images as image_names
from pipelines.cluster import outside
from pipelines.cluster.examination import examine_cluster
from pipelines.cluster.images import Found, find_image
from pipelines.finding import Finding
from pipelines.kubeflow.access import Access
from pipelines.kubeflow.examination import examine_kubeflow
from pipelines.kubeflow.pods import pod_troubles
from tests.pipelines.cluster.fake_api import FakeApi
from tests.servers import answering

NAMESPACE = Path(__file__).parents[3] / "manifests" / "base" / "namespace"
HERE = "/api/v1/namespaces/rankloop"
HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
WORKFLOWS = "/apis/argoproj.io/v1alpha1/namespaces/rankloop/workflows"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/rankloop/networkpolicies"
WATCHING = {"rules": [{"resources": ["pipelineversions"]}]}
UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
}
NO_SECRET = {"name": "main", "image": "i", "imageID": "i", "ready": False, "restartCount": 0} | {
    "state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "store" not found'}}
}
DIGEST = "sha256:" + 64 * "a"
KEYS = {"RANKLOOP_SIGNING_KEY": "/etc/rankloop-signing/signing.pem", "RANKLOOP_VERIFY_KEYS": "/etc/rankloop-keys"}


def manifests(kind: str) -> list[dict[str, object]]:
    resources = [yaml.safe_load(file.read_text()) for file in sorted(NAMESPACE.rglob("*.yaml"))]
    return [one for one in resources if one["kind"] == kind]


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """An API server that holds what the manifests say."""
    with answering(FakeApi()) as server:
        server.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        monkeypatch.delenv("RANKLOOP_ONLINE_URL", raising=False)
        for module in ("cluster.api", "registry.client", "kubeflow.pods"):
            monkeypatch.setattr(f"pipelines.{module}.SECONDS", 60)  # on a busy machine
        monkeypatch.setattr(outside, "find_image", lambda image: Found.THERE)
        (launcher,) = (one for one in manifests("ConfigMap") if "kfp-launcher" in str(one["metadata"]))
        hook = WATCHING | {"clientConfig": {"caBundle": "x"}}
        server.documents = {
            "/version": {"gitVersion": "v1.34.9"},
            "/apis/pipelines.kubeflow.org/v2beta1": kinds("pipelines", "pipelineversions"),
            "/apis/kubeflow.org/v1beta1": kinds("scheduledworkflows"),
            "/apis/argoproj.io/v1alpha1": kinds("workflows"),
            HOOKS: {"items": [{"webhooks": [hook]}]},
            HERE: manifests("Namespace")[0],
            f"{HERE}/pods": {},
            f"{HERE}/configmaps": {"items": []},
            f"{HERE}/configmaps/kfp-launcher": launcher,
            f"{HERE}/resourcequotas": {"items": manifests("ResourceQuota")},
            f"{HERE}/limitranges": {"items": manifests("LimitRange")},
            POLICIES: {"items": manifests("NetworkPolicy")},
        }
        names = ("serviceaccounts/rankloop-training", "serviceaccounts/rankloop-monitoring", "secrets/rankloop")
        for name in (*names, "configmaps/rankloop", "configmaps/rankloop-shop"):
            server.documents[f"{HERE}/{name}"] = {}
        server.documents[f"{HERE}/secrets/rankloop-signing"] = {}
        server.documents[f"{HERE}/configmaps/rankloop-keys"] = {"data": {"signing.pub": "-----BEGIN PUBLIC KEY-----"}}
        server.documents[f"{HERE}/configmaps/rankloop"] = {"data": KEYS}
        yield server


def kinds(*names: str) -> dict[str, object]:
    return {"resources": [{"name": name} for name in names]}


def wrong(findings: list[Finding]) -> list[Finding]:
    return [one for one in findings if not one.well and one.subject != "redis"]


def test_what_the_manifests_make_is_well(api: FakeApi) -> None:
    findings = examine_cluster("rankloop")
    assert wrong(findings) == []
    assert [one.subject for one in findings if one.well] == [
        *("cluster", "clock", "kinds", "webhook", "pod security", "largest step", "quota", "egress"),
        *("kfp-launcher", "names", "keys", "image", "image"),
    ]
    assert api.posted[0]["spec"]["containers"][0]["securityContext"]["runAsNonRoot"]


def drop(path: str) -> Callable[[FakeApi], None]:
    return lambda api: api.documents.__delitem__(path)


def put(path: str, document: dict[str, object]) -> Callable[[FakeApi], None]:
    return lambda api: api.documents.__setitem__(path, document)


def refuse(end: str, message: str, status: int = 403) -> Callable[[FakeApi], None]:
    return lambda api: api.refusals.__setitem__(end, (status, message))


@pytest.mark.parametrize(
    ("change", "subject", "words", "needed"),
    [
        (drop("/apis/pipelines.kubeflow.org/v2beta1"), "kinds", "missing: pipelines of pipelines.kubeflow.org", False),
        (drop("/apis/argoproj.io/v1alpha1"), "kinds", "missing: workflows of argoproj.io/v1alpha1", True),
        (put(HOOKS, {"items": []}), "webhook", "nothing checks pipeline versions", False),
        (
            put(
                HOOKS, {"items": [{"webhooks": [{"clientConfig": {}, "rules": [{"resources": ["pipelineversions"]}]}]}]}
            ),
            "webhook",
            "has no certificate",
            True,
        ),
        (drop(HERE), "namespace", "there is no namespace rankloop", True),
        (put(HERE, {"metadata": {}}), "pod security", "privileged is enforced", False),
        (refuse("/pods", 'violates PodSecurity "restricted:latest"'), "largest step", "its pod is refused: viol", True),
        (refuse("/pods", "exceeded quota: rankloop"), "largest step", "its pod is refused: exceeded quota", False),
        (refuse("/pods", 'cannot create resource "pods"'), "largest step", "not examined: cannot create", False),
        (put(f"{HERE}/limitranges", {"items": []}), "quota", "no LimitRange gives defaults", True),
        (put(POLICIES, {"items": []}), "egress", "no NetworkPolicy bounds", False),
        (
            put(POLICIES, {"items": manifests("NetworkPolicy")[:1]}),
            "egress",
            "closed to DNS (53 or 5353 or 8053), the API server",
            True,
        ),
        (drop(f"{HERE}/configmaps/kfp-launcher"), "kfp-launcher", "says no defaultPipelineRoot", True),
        (drop(f"{HERE}/secrets/rankloop"), "names", "missing: secret rankloop", True),
        (drop(f"{HERE}/secrets/rankloop-signing"), "keys", "missing: secret rankloop-signing", True),
        (drop(f"{HERE}/configmaps/rankloop-keys"), "keys", "missing: configmap rankloop-keys", True),
        (put(f"{HERE}/configmaps/rankloop-keys", {"data": {"signing.pub": "Put"}}), "keys", "no public key", True),
        (refuse("/rankloop-signing", "secrets is forbidden"), "keys", "not examined: secrets is forbidden", False),
        (drop(f"{HERE}/configmaps/rankloop-shop"), "names", "missing: configmap rankloop-shop", True),
        (refuse("/secrets/rankloop", "secrets is forbidden"), "names", "not examined: secrets is forbidden", False),
    ],
)
def test_each_thing_that_is_wrong_is_one_finding_with_its_fix(
    api: FakeApi, change: Callable[[FakeApi], None], subject: str, words: str, needed: bool
) -> None:
    change(api)
    (finding,) = wrong(examine_cluster("rankloop"))
    assert (finding.subject, finding.needed) == (subject, needed)
    assert words in finding.found
    assert finding.fix


def test_an_account_that_sees_no_secrets_still_learns_what_else_is_missing(api: FakeApi) -> None:
    api.refusals["/secrets/rankloop"] = (403, "secrets is forbidden")
    del api.documents[f"{HERE}/configmaps/rankloop-shop"]
    missing, denied = wrong(examine_cluster("rankloop"))
    assert missing.fix == "kubectl create configmap rankloop-shop --from-file shop.toml --namespace rankloop"
    assert (denied.found, denied.needed) == ("not examined: secrets is forbidden", False)


def test_keys_that_the_configmap_does_not_name_are_a_note(api: FakeApi) -> None:
    api.documents[f"{HERE}/configmaps/rankloop"] = {}
    del api.documents[f"{HERE}/secrets/rankloop-signing"]
    signing, verifying = wrong(examine_cluster("rankloop"))
    assert (signing.subject, signing.found, signing.needed) == ("keys", "missing: secret rankloop-signing", False)
    assert signing.fix == (
        "kubectl create secret generic rankloop-signing --from-file signing.pem --namespace rankloop"
    )
    assert (verifying.found, verifying.needed) == ("configmap rankloop says no RANKLOOP_VERIFY_KEYS", False)
    assert verifying.fix == "take manifests/components/signing in the overlay, and apply it"


@pytest.mark.parametrize("page", [b"<h1>Sign in</h1>", b'"ok"', b""])
def test_a_page_in_place_of_the_api_is_one_line(api: FakeApi, page: bytes) -> None:
    api.page = page
    (finding,) = examine_cluster("rankloop")
    assert f"{api.url} is not Kubernetes' API: found {page.decode()!r}" in finding.found


def test_a_secret_that_the_launcher_names_must_exist(api: FakeApi) -> None:
    providers = "s3:\n  default:\n    credentials:\n      secretRef: {secretName: store, accessKeyKey: a}\n"
    data = {"defaultPipelineRoot": "s3://bucket/root", "providers": providers}
    api.documents[f"{HERE}/configmaps/kfp-launcher"] = {"data": data}
    (finding,) = wrong(examine_cluster("rankloop"))
    assert finding.found == "Secret store is missing"


def test_a_quota_that_no_large_step_fits_is_said(api: FakeApi) -> None:
    hard = {"limits.memory": "4Gi"}
    api.documents[f"{HERE}/resourcequotas"]["items"] = [{"metadata": {"name": "q"}, "spec": {"hard": hard}}]
    (finding,) = wrong(examine_cluster("rankloop"))
    assert finding.found == "its limit of memory, 4Gi, is less than the largest step's, 6Gi"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (refuse("/configmaps", "configmaps is forbidden: User x"), "this account may not look at it: configmaps is"),
        (refuse("/configmaps", "Unauthorized", 401), "the API server knows no such account (Unauthorized); renew"),
    ],
)
def test_an_account_without_rights_gets_one_line(api: FakeApi, change: Callable[[FakeApi], None], words: str) -> None:
    change(api)
    (finding,) = examine_cluster("rankloop")
    assert words in finding.found
    assert finding.needed


def test_a_cluster_that_cannot_be_reached_is_one_line(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(file.read_text().replace(api.url, "http://127.0.0.1:9"))
    (finding,) = examine_cluster("rankloop")
    assert finding.found.startswith("http://127.0.0.1:9 cannot be reached")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    (finding,) = examine_cluster("rankloop")
    assert finding.found.startswith("found no usable kubeconfig (")


def test_a_registry_is_asked_for_the_manifest(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    host = api.url.removeprefix("http://")
    api.documents[f"/v2/team/steps/manifests/{DIGEST}"] = {}
    api.refusals["/private/manifests/" + DIGEST] = (401, "who are you")
    assert find_image(f"{host}/team/steps@{DIGEST}") is Found.THERE
    assert find_image(f"{host}/team/other@{DIGEST}") is Found.MISSING
    assert find_image(f"{host}/private@{DIGEST}") is Found.PRIVATE
    assert find_image(f"127.0.0.1:9/team/steps@{DIGEST}") is Found.UNREACHABLE
    assert find_image(f"{host}/team/steps@sha256:{64 * '0'}") is Found.ZEROS
    monkeypatch.setattr(outside, "find_image", lambda image: Found.ZEROS)
    (steps, monitoring) = wrong(examine_cluster("rankloop"))
    assert "has not been pushed: its digest is zeros" in steps.found + monitoring.found
    assert image_names.image("steps").partition("@")[0] in steps.found


def test_kubeflow_that_is_not_there_is_one_finding() -> None:
    (unknown,) = examine_kubeflow(Access())
    assert not unknown.needed
    (finding,) = examine_kubeflow(Access(host="http://127.0.0.1:9"))
    assert "KFP at http://127.0.0.1:9: cannot be reached" in finding.found


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://:${ONLINE_PASSWORD}@127.0.0.1:9/0", "redis://127.0.0.1:9/0 cannot be reached (Error"),
        ("redis://:${NOT_SET}@127.0.0.1:9/0", "RANKLOOP_ONLINE_URL: found ${NOT_SET}, but that environment variable"),
        ("redis://:se/same@127.0.0.1:9/0", "(shown without user and password): expected one such as redis://"),
        ("redis://user:12#sesame@127.0.0.1:9/0", "(shown without user and password): expected one such as redis://"),
    ],
)
def test_redis_is_asked_with_its_password_which_no_finding_shows(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setenv("ONLINE_PASSWORD", "sesame")
    monkeypatch.setenv("RANKLOOP_ONLINE_URL", url)
    (finding,) = (one for one in examine_cluster("rankloop") if one.subject == "redis")
    assert not finding.well
    assert words in finding.found
    assert not {"se", "same", "sesame", "12"} & set(re.split(r"\W", finding.found + finding.fix))


def test_the_pods_of_a_run_say_what_keeps_them(api: FakeApi) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    states = {
        "train-ranker": {"state": {"terminated": {"reason": "OOMKilled", "exitCode": 1}}},
        "build-features": {"state": {"waiting": waiting}},
        "ingest-events": {"state": {"terminated": {"reason": "Completed", "exitCode": 0}}},
    }
    api.documents["/api/v1/pods"] = {"items": [pod(step, state) for step, state in states.items()]}
    troubles = {
        "train_ranker": "its container main ran out of memory at its limit of 3Gi",
        "build_features": "ImagePullBackOff: Back-off pulling image",
    }
    assert pod_troubles("r1", None) == troubles
    api.documents["/api/v1/namespaces/kubeflow/pods"] = api.documents.pop("/api/v1/pods")
    api.refusals["/v1/pods"] = (403, "pods is forbidden")
    assert pod_troubles("r1", None) == troubles
    assert pod_troubles("r1", "team-a") == {}


@pytest.mark.parametrize(
    ("phase", "node", "words", "trouble"),
    [
        (
            "Pending",
            "train-ranker-driver",
            "exceeded quota: rankloop, requested: limits.memory=6Gi, used: limits.memory=12Gi, limited: 16Gi",
            "; wait for other runs, or raise the ResourceQuota",
        ),
        (
            "Error",
            "train-ranker(0).executor(0)",
            'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
            "; the namespace must not enforce more than restricted",
        ),
    ],
)
def test_a_pod_that_the_server_refuses_is_said_although_it_is_never_there(
    api: FakeApi, phase: str, node: str, words: str, trouble: str
) -> None:
    path = "training-x(0).root(0).exit-handler-1(0)."
    nodes = {
        "n1": {"name": path + node, "phase": phase, "message": f'pods "training-x-1" is forbidden: {words}'},
        "n2": {"name": f"{path}build-features(0).executor(0)", "phase": "Pending", "message": "PodInitializing"},
        "n3": {"name": f"{path}ingest-events(0).executor(0)", "phase": "Succeeded"},
    }
    api.documents |= {f"{HERE}/pods": {"items": []}, WORKFLOWS: {"items": [{"status": {"nodes": nodes}}]}}
    assert pod_troubles("r1", "rankloop") == {"train_ranker": f"its pod is refused: {words}{trouble}"}
    api.refusals["/workflows"] = (403, "workflows is forbidden")
    assert pod_troubles("r1", "rankloop") == {}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"reason": "NodeLost", "message": "Node n1 which was running pod is unresponsive"}, "NodeLost: Node n1 which"),
        ({"reason": "Evicted", "message": "The node was low on resource: memory."}, "Evicted: The node was low"),
        ({"conditions": [UNSCHEDULABLE]}, "Unschedulable: 0/3 nodes are available: 3 node(s) didn't match"),
        ({"containerStatuses": [NO_SECRET]}, 'CreateContainerConfigError: secret "store" not found'),
    ],
)
def test_what_a_node_or_a_secret_does_to_a_pod_is_said(api: FakeApi, status: dict[str, object], words: str) -> None:
    lost = pod("train-ranker", {"state": {}})
    api.documents["/api/v1/pods"] = {"items": [lost | {"status": {"phase": "Pending"} | status}]}
    assert pod_troubles("r1", None)["train_ranker"].startswith(words)


def pod(step: str, state: dict[str, object]) -> dict[str, object]:
    """Return a pod as KFP 2.17 and Argo make it for a step."""
    status = {"name": "main", "image": "i", "imageID": "i", "ready": False, "restartCount": 0} | state
    return {
        "metadata": {
            "annotations": {
                "workflows.argoproj.io/node-name": f"training-x(0).root(0).exit-handler-1(0).{step}(0).executor(0)",
            }
        },
        "spec": {"containers": [{"name": "main", "resources": {"limits": {"memory": "3Gi"}}}]},
        "status": {"phase": "Failed", "containerStatuses": [status]},
    }
