"""Everything once on a real cluster: images, fences, training, vanished pods, monitoring, schedules, a failure.

Collected only by `make acceptance`. What it makes lies in one namespace, one prefix of a bucket, one prefix of Redis
and Kubeflow's records of the runs; the end deletes all of it, however the tests ended, and looks.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.contracts.images import IMAGES_VARIABLE, read_image
from components.home.layout import ONLINE_VARIABLE, Home
from components.home.runs.records import list_runs
from components.home.runs.step_records import read_records
from components.home.storage.documents import list_names, names_below, remove_documents
from components.home.storage.locations import BucketPath
from pipelines.commands.schedules import DIFFERENT
from pipelines.kubernetes import NAME, SHOP_FOLDER
from tests.acceptance import online_store
from tests.acceptance.cluster import ENGINEER, Cluster, kustomization, pod_of, refusal
from tests.acceptance.deletions import deleting_pods
from tests.acceptance.images import push_images
from tests.acceptance.journal import note, timed
from tests.acceptance.kubeflow import Kubeflow
from tests.acceptance.settings import Settings, read_settings
from tests.pipelines.homes.home_content import stored_content
from tests.pipelines.homes.tiny_shop import command, make_tiny_shop

pytestmark = pytest.mark.filterwarnings("default")  # of the clients of Kubernetes and Kubeflow

CONNECT = """
import os, socket, time
end = time.monotonic() + 15  # some plug-ins bound what a pod reaches only when it has run for a while
while time.monotonic() < end:
    time.sleep(1)
    with socket.socket() as connection:
        connection.settimeout(5)
        error = connection.connect_ex((os.environ["KUBERNETES_SERVICE_HOST"], 443))
print(os.strerror(error))
raise SystemExit(error != 0)
"""
SHOP_IN_PODS = f"{SHOP_FOLDER}/shop.toml"
DELETIONS = 5  # of the pods of eleven steps
SCHEDULE = """
[[schedules]]
name = "every minute"
pipeline = "monitoring"
cron = "* * * * *"
parameters = {{ shop = "{shop}", home = "{home}" }}
service_account = "{account}"
"""
STEP = {"workflows.argoproj.io/workflow": "acceptance"}  # how the network's policies know a pod of a run


@dataclass(frozen=True)
class Acceptance:
    """What all tests share: a namespace with the overlay, a shop here and in the bucket, and images."""

    settings: Settings
    cluster: Cluster
    kubeflow: Kubeflow
    images: Path
    shop_file: Path
    local_home: Home  # of a run on this machine

    @property
    def home(self) -> Home:
        return Home(self.settings.store / "home")

    @property
    def steps_image(self) -> str:
        return read_image(self.images, "steps")

    def start(self, *words: str | Path) -> "subprocess.Popen[str]":
        """Start a command with what an engineer's shell holds; the online store is the pods' alone."""
        variables = {name: value for name, value in os.environ.items() if name != ONLINE_VARIABLE} | {
            IMAGES_VARIABLE: str(self.images),
            "RANKLOOP_HOME": str(self.home.root),
            "RANKLOOP_ENVIRONMENT": "local",
            "RANKLOOP_KFP_TOKEN": self.kubeflow.token,
        }
        return subprocess.Popen(
            command(*words), env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def answer(self, *words: str | Path) -> tuple[int, dict[str, Any]]:
        """Run a command to its end; return its exit code and its JSON document."""
        run = self.start(*words, "--json")
        printed, errors = run.communicate()
        assert printed, errors
        return run.returncode, json.loads(printed)

    def submit(self, pipeline: str, *words: str) -> tuple[int, dict[str, Any]]:
        """Submit a run, wait until it has ended, and return the exit code and what was printed."""
        where = ("--namespace", self.settings.namespace, "--service-account", f"{NAME}-{pipeline}")
        return self.answer("submit", pipeline, *where, "--shop", SHOP_IN_PODS, *words, "--wait")

    def schedule(self, mode: str, *words: str | Path) -> tuple[int, dict[str, Any]]:
        """Compare Kubeflow's recurring runs with the file in Git or another one, or make them equal to it."""
        return self.answer("schedules", mode, "--namespace", self.settings.namespace, *words)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return read_settings()


@pytest.fixture(scope="module")
def images(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of digests outside the tree."""
    if settings.images:
        return settings.images
    with timed("build and push the images"):
        return push_images(settings.registry, tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def acceptance(settings: Settings, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acceptance]:
    cluster, folder = Cluster(settings), tmp_path_factory.mktemp("acceptance")
    assert not cluster.has_namespace(), f"namespace {settings.namespace} is there already; name another NAMESPACE"
    assert not objects_of(settings), f"{settings.store} is not empty; name another STORE"
    shop_file = settings.shop or make_tiny_shop(folder / "shop")
    with ExitStack() as deletions:  # also of what was made before something failed
        deletions.callback(lambda: remove_documents(objects_of(settings)))
        deletions.callback(cluster.delete_namespace)
        with timed("upload the shop, apply the overlay"):
            uploaded = subprocess.run(
                command("upload", f"{settings.store}/sources", "--shop", shop_file),
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            with kustomization(folder / "overlay", settings, uploaded) as overlay:
                cluster.apply(overlay)
        kubeflow = Kubeflow(settings, cluster.token(ENGINEER))
        kubeflow.require_users()
        with timed("look that the online store is empty"):
            held = ask_online_store(cluster, images, "count")
        assert held == "0", f"{ONLINE_VARIABLE} holds a home already; name another database or ?prefix="
        deletions.callback(ask_online_store, cluster, images, "delete")
        deletions.callback(kubeflow.delete_records)
        yield Acceptance(settings, cluster, kubeflow, images, shop_file, Home(folder / "home"))
        with timed("delete everything"):
            deletions.close()
    assert not objects_of(settings)
    assert not cluster.has_namespace()


def test_the_pipelines_compile_with_these_images(acceptance: Acceptance, tmp_path: Path) -> None:
    with timed("compile the pipelines"):
        ended = acceptance.start("compile", "--images", acceptance.images, "--out", tmp_path / "pipelines")
        _, errors = ended.communicate()
    assert ended.returncode == 0, errors
    assert acceptance.steps_image in (tmp_path / "pipelines" / "training-version.yaml").read_text()


def test_a_pod_that_is_root_is_refused(acceptance: Acceptance) -> None:
    pod = pod_of("root", acceptance.steps_image, "id")
    [container] = pod["spec"]["containers"]
    container["securityContext"] |= {"runAsUser": 0, "runAsNonRoot": False}
    said = acceptance.cluster.refusal(pod)
    require_fence(
        acceptance, "restricted", "violates PodSecurity" in said, said, "a pod that runs as root was admitted"
    )


def test_a_pod_beyond_the_quota_is_refused(acceptance: Acceptance) -> None:
    pod = pod_of("large", acceptance.steps_image, "id", cpu="4", memory="1Gi")
    [container] = pod["spec"]["containers"]
    pod["spec"]["containers"] = [container | {"name": f"main-{number}"} for number in range(3)]
    said = acceptance.cluster.refusal(pod)
    require_fence(acceptance, "quota", "exceeded quota" in said, said, "a pod of 12 processors was admitted")


def test_the_account_of_a_pipeline_reads_no_secrets(acceptance: Acceptance) -> None:
    account = acceptance.cluster.as_account(f"{NAME}-training")
    namespace = acceptance.settings.namespace
    said = refusal(lambda: account.list_namespaced_secret(namespace)) and refusal(
        lambda: account.read_namespaced_secret(NAME, namespace)
    )
    require_fence(acceptance, "secrets", bool(said), said, "the pipeline's account could read Secrets")


def test_a_pod_reaches_only_what_a_policy_names(acceptance: Acceptance) -> None:
    """The API server's address is named for the pods of a run, and for no other."""
    reach = (acceptance.steps_image, "python", "-c", CONNECT)
    with timed("two pods that try to reach an address"):
        named, said = acceptance.cluster.run_pod(pod_of("named", *reach, labels=STEP))
        assert named == "Succeeded", f"a pod of a run cannot reach the API server, which its driver needs: {said}"
        unnamed, said = acceptance.cluster.run_pod(pod_of("unnamed", *reach))
    sentence = "a pod reached an address that no NetworkPolicy names for it; the network plug-in enforces none"
    require_fence(acceptance, "egress", unnamed == "Failed", said, sentence)


def require_fence(acceptance: Acceptance, fence: str, holds: bool, said: object, sentence: str) -> None:
    """Note what a fence refused; where it refused nothing, fail unless the fence was given up beforehand."""
    if holds:
        note(f"fence {fence}: refused: {said}")
    elif fence in acceptance.settings.without:
        note(f"fence {fence}: NOT ENFORCED HERE ({sentence}); went on by WITHOUT_FENCES={fence}")
    else:
        pytest.fail(f"{sentence}; WITHOUT_FENCES={fence} goes on without this fence")


def test_training_gives_the_tables_and_the_bundle_of_a_run_on_this_machine(acceptance: Acceptance) -> None:
    with timed("train on Kubeflow"):
        code, outcome = acceptance.submit("training")
    note_steps(acceptance.home, outcome)
    assert (code, outcome["state"]) == (0, "SUCCEEDED"), outcome
    with timed("train on this machine"):
        _, local = acceptance.answer("run", "--shop", acceptance.shop_file, "--home", str(acceptance.local_home.root))
    assert outcome["document"]["bundle"]["digest"] == local["bundle"]["digest"]
    assert stored_content(acceptance.home) == stored_content(acceptance.local_home)
    note(f"bundle {local['bundle']['digest']}, here and there")


def test_a_run_whose_pods_are_deleted_gives_the_same(acceptance: Acceptance) -> None:
    home, cluster = Home(acceptance.settings.store / "disturbed"), acceptance.cluster
    with (
        timed("train again while pods are deleted"),
        deleting_pods(cluster.api, acceptance.settings.namespace, "training", DELETIONS) as deleted,
    ):
        code, outcome = acceptance.submit("training", "--home", str(home.root))
    note_steps(home, outcome)
    assert (code, outcome["state"]) == (0, "SUCCEEDED"), outcome
    assert deleted
    assert stored_content(home) == stored_content(acceptance.local_home)
    note(f"{len(deleted)} pods deleted, the same tables and bundle")


def test_monitoring_ends_well(acceptance: Acceptance) -> None:
    with timed("monitor on Kubeflow"):
        code, outcome = acceptance.submit("monitoring")
    note_steps(acceptance.home, outcome)
    assert (code, outcome["state"]) == (0, "SUCCEEDED"), outcome


def test_schedules_are_made_equal_to_the_file_in_git(acceptance: Acceptance, tmp_path: Path) -> None:
    with timed("make recurring runs equal to a file, twice, and delete them"):
        assert acceptance.schedule("--check")[0] == DIFFERENT
        code, made = acceptance.schedule("--apply")
        assert (code, len(made["schedules"])) == (0, 2), made
        assert acceptance.schedule("--check")[0] == 0
        assert acceptance.schedule("--apply")[1]["calls"] == 0
        delete_schedules(acceptance, tmp_path)
    assert acceptance.kubeflow.recurring_runs() == []


def test_a_schedule_starts_a_run(acceptance: Acceptance, tmp_path: Path) -> None:
    file, kubeflow = tmp_path / "schedules.toml", acceptance.kubeflow
    file.write_text(SCHEDULE.format(shop=SHOP_IN_PODS, home=acceptance.home.root, account=f"{NAME}-monitoring"))
    with timed("a run that a schedule starts"):
        assert acceptance.schedule("--apply", "--file", file)[0] == 0
        [recurring_run] = kubeflow.recurring_runs()
        run_id = kubeflow.first_run_of(recurring_run)
        delete_schedules(acceptance, tmp_path)
        state = kubeflow.wait_for(run_id)
    assert state == "SUCCEEDED", run_id
    assert run_id in [run.kubeflow_run for run in list_runs(acceptance.home) if run.state == "done"]


def delete_schedules(acceptance: Acceptance, folder: Path) -> None:
    """Delete the recurring runs; runs that are at work go on."""
    file = folder / "none.toml"
    file.write_text("schedules = []\n")
    assert acceptance.schedule("--prune", "--file", file)[0] == 0


def test_a_run_that_fails_says_why_in_its_report(acceptance: Acceptance) -> None:
    with timed("a run that fails"):
        code, outcome = acceptance.submit("training", "--param", "as_of=1999-01-01")
    assert (code, outcome["state"]) == (1, "FAILED"), outcome
    assert outcome["document"]["error"], outcome
    assert "report.html" in list_names(acceptance.home.run(outcome["run_id"]))
    note(f"the failed run says: {outcome['document']['error']}")


def ask_online_store(cluster: Cluster, images: Path, what: str) -> str:
    """Count or delete what a home keeps there, in a pod that reaches it as a step does; return how much is left."""
    labels, program = STEP | {"app.kubernetes.io/part-of": NAME}, Path(online_store.__file__).read_text()
    pod = pod_of("ask-online-store", read_image(images, "steps"), "python", "-c", program, what, labels=labels)
    pod["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": NAME}}]
    phase, printed = cluster.run_pod(pod)
    assert phase == "Succeeded", printed
    return printed


def objects_of(settings: Settings) -> list[BucketPath]:
    """Every object of the acceptance."""
    return [settings.store / name for name in names_below(settings.store)]


def note_steps(home: Home, outcome: dict[str, Any]) -> None:
    """Note what each step's pod used, by its own record."""
    for record in read_records(home.run(outcome["run_id"])).values():
        note(f"        {record.seconds:5.1f} s  {record.peak_mb:6.0f} MB  {record.name} {record.state}")
