"""How the tasks of a pipeline run on Kubernetes: where, what each may use, as whom, what it is given, how often.

This is the only place that decorates tasks; runs on a laptop take no notice of it. What kfp-kubernetes cannot say (a
read-only root file system, priority, topology) is for the cluster to set.

::

    Secret rankloop         every key of ENVIRONMENT that is there becomes that variable: the store, the online store
    ConfigMap rankloop      the same for what is no secret
    ConfigMap rankloop-shop mounted at /etc/rankloop: the shop file
    ConfigMap rankloop-keys mounted at /etc/rankloop-keys: the public keys that bundles are verified with, `*.pub`
    Secret rankloop-signing mounted at /etc/rankloop-signing, for publish-bundle alone: the key that signs them
    Secret rankloop-git     mounted at /etc/rankloop-git for the steps that ask Git what is live, or propose it
    /tmp                    scratch of the pod: spilled queries, files on their way to the bucket, the cache
"""

from dataclasses import asdict, dataclass

from kfp import kubernetes
from kfp.dsl import PipelineConfig, PipelineTask

from components.bundles.signing.home_key import KEY_VARIABLE, KEYS_VARIABLE
from components.bundles.signing.origin import IMAGE_VARIABLE
from components.bundles.signing.trust import SIGNATURES_VARIABLE
from components.contracts.images import images_file
from components.gitops.settings import VARIABLES as GIT_VARIABLES
from components.home.runs.kubeflow import RUN_VARIABLE
from pipelines.nodes import read_nodes

NAME = "rankloop"
SHOP_FOLDER = "/etc/rankloop"
KEYS_FOLDER, SIGNING_FOLDER = "/etc/rankloop-keys", "/etc/rankloop-signing"
SIGNS = "publish-bundle"
VERIFIES = ("evaluate-ranker", "publish-bundle", "propose-promotion", "detect-drift")
GIT_FOLDER = "/etc/rankloop-git"
GIT_STEPS = ("evaluate-ranker", "propose-promotion", "detect-drift")
USER, GROUP = 10001, 0  # the images' own user; any other one of group 0 works too
RESTRICTED = {  # what Kubeflow and Argo give every container, which is what restricted Pod Security asks for
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
# Pods and their logs go with the run's workflow. Kubeflow deletes it after a day, or as its administrator says; a run
# whose workflow goes before Kubeflow's persistence agent has seen its end would be shown as running for ever.
PIPELINE = PipelineConfig(ttl_seconds_after_finished=3 * 24 * 3600)
RETRIES, BACKOFF, BACKOFF_FACTOR = 2, "30s", 2.0
SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "RANKLOOP_ONLINE_URL")
VARIABLES = (
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "RANKLOOP_CACHE_BYTES",
    "RANKLOOP_ENGINE_MEMORY",
    "RANKLOOP_ENGINE_THREADS",
    "RANKLOOP_KFP_URL",
    "RANKLOOP_LEASE_SECONDS",
)
KEYS_VARIABLES = (KEYS_VARIABLE, SIGNATURES_VARIABLE)


@dataclass(frozen=True)
class Resources:
    """What one pod may use: memory, processors (at least, at most), scratch on the node's disk, and minutes."""

    memory: str
    processors: tuple[str, str]
    scratch: str
    minutes: int


# Memory is at least twice the peak of a run on the demo's 1.5 million events (`rankloop runs last --json`, peak_mb).
LARGE = Resources("6Gi", ("1", "4"), "40Gi", 240)  # peaks of 2.0 to 3.0 GB
MEDIUM = Resources("3Gi", ("500m", "4"), "20Gi", 120)  # 0.7 to 1.0 GB
SMALL = Resources("2Gi", ("250m", "2"), "10Gi", 30)  # up to 0.6 GB
RESOURCES = {
    "ingest-events": MEDIUM,
    "validate-events": MEDIUM,
    "build-features": LARGE,
    "materialize-features": MEDIUM,
    "build-training-set": LARGE,
    "train-ranker": MEDIUM,
    "evaluate-ranker": LARGE,
    "publish-bundle": SMALL,
    "propose-promotion": SMALL,
    "detect-drift": MEDIUM,
    "write-report": SMALL,
}


def on_kubernetes(task: PipelineTask) -> PipelineTask:
    """Say how a task runs on Kubernetes, and that KFP never answers it from its cache; return the task.

    Every step may be tried again: what it has written is found, or written once more. Argo ends all tries of a step
    together after what KFP calls the longest backoff, so that is time enough for each of them.

    Raises:
        KeyError: nobody has said yet what the step may use.
    """
    resources = RESOURCES[task.name]
    task.set_caching_options(False)
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory)
    task.set_cpu_request(resources.processors[0]).set_cpu_limit(resources.processors[1])
    seconds = resources.minutes * 60
    task.set_retry(RETRIES, BACKOFF, BACKOFF_FACTOR, f"{(RETRIES + 1) * seconds}s")
    kubernetes.set_timeout(task, seconds)
    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=GROUP, run_as_non_root=True)
    kubernetes.use_secret_as_env(task, NAME, {name: name for name in SECRETS}, optional=True)
    kubernetes.use_config_map_as_env(task, NAME, {name: name for name in VARIABLES}, optional=True)
    kubernetes.use_field_path_as_env(task, RUN_VARIABLE, "metadata.labels['pipeline/runid']")
    kubernetes.use_config_map_as_volume(task, f"{NAME}-shop", SHOP_FOLDER, optional=True)
    _give_keys(task)
    if task.name in GIT_STEPS:
        kubernetes.use_config_map_as_env(task, NAME, {name: name for name in GIT_VARIABLES}, optional=True)
        kubernetes.use_secret_as_volume(task, f"{NAME}-git", GIT_FOLDER, optional=True)
    kubernetes.empty_dir_mount(task, "scratch", "/tmp", size_limit=resources.scratch)
    _place(task)
    return kubernetes.add_pod_label(task, "app.kubernetes.io/part-of", NAME)


def _place(task: PipelineTask) -> None:
    nodes = read_nodes(images_file())
    for key, value in nodes.selector.items():
        kubernetes.add_node_selector(task, key, value)
    for toleration in nodes.tolerations:
        kubernetes.add_toleration(task, **asdict(toleration))


def _give_keys(task: PipelineTask) -> None:
    """Give a task the keys that it signs and verifies with, where there are any; only one task can sign."""
    if task.name in VERIFIES:
        kubernetes.use_config_map_as_env(task, NAME, {name: name for name in KEYS_VARIABLES}, optional=True)
        kubernetes.use_config_map_as_volume(task, f"{NAME}-keys", KEYS_FOLDER, optional=True)
    if task.name == SIGNS:
        kubernetes.use_config_map_as_env(task, NAME, {KEY_VARIABLE: KEY_VARIABLE}, optional=True)
        kubernetes.use_secret_as_volume(task, f"{NAME}-signing", SIGNING_FOLDER, optional=True)
        assert task.container_spec is not None, "it runs in an image"
        task.set_env_variable(IMAGE_VARIABLE, task.container_spec.image)
