"""`make cluster`: what it asks of Docker, kind and Kubernetes, in which order, with recorders in their place.

Git is real: what would be pushed to the cluster's is pushed into a folder.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ["cat", "cp", "date", "dirname", "git", "grep", "mkdir", "openssl", "rm", "sed", "seq", "sh", "sleep", "touch"]
GIT = "http://localhost:3000/rankloop/rankloop.git"
# Each says what it was asked, and answers as if everything were well; what one makes is there afterwards.
RECORDER = """\
#!/bin/sh
echo "${0##*/} $*" >> "$CALLS"
case "${0##*/} $*" in
  "docker info "*) echo "${MEMORY:-17179869184} ${PROCESSORS:-4}" ;;
  "docker inspect "*) test -e "$STATE/registry" ;;
  "docker run "*) touch "$STATE/registry" ;;
  "docker rm "*) rm -f "$STATE/registry" ;;
  "kind create cluster "*) touch "$STATE/cluster" ;;
  "kind delete cluster "*) rm -f "$STATE/cluster" ;;
  "kind get clusters") ! test -e "$STATE/cluster" || echo rankloop ;;
  *" user list") ! test -e "$STATE/user" || echo 1 rankloop ;;
  *" user create "*) touch "$STATE/user" ;;
  *generate-access-token*) echo token-of-git ;;
  "kubectl apply --server-side --filename -") cat > /dev/null ;;
  "kubectl create token "*) echo token-of-kubeflow ;;
  "kubectl get secret "*) echo password-of-argo-cd ;;
  "rankloop upload "*) echo "name = 'demo'" ;;
  "rankloop keys add "*) echo key-of-a-caller ;;
  "rankloop render") mkdir -p manifests/rendered/laptop; touch manifests/rendered/laptop/pipelineversion-x.yaml ;;
esac
"""


@dataclass(frozen=True)
class Machine:
    """A copy of this repository on a machine of recorders."""

    folder: Path

    @property
    def checkout(self) -> Path:
        """Return the copy."""
        return self.folder / "checkout"

    def run(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run what `make cluster` runs."""
        environment = {name: text for name, text in os.environ.items() if not name.startswith(("RANKLOOP_", "AWS_"))}
        environment |= {"PATH": str(self.folder / "bin"), "HOME": str(self.folder)}
        environment |= {"CALLS": str(self.folder / "calls"), "STATE": str(self.folder / "state")} | variables
        return subprocess.run(
            [self.checkout / ".ci/cluster", *words], env=environment, capture_output=True, text=True, check=False
        )

    def calls(self) -> list[str]:
        """Return what was asked since the last time."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    def pushed(self, *words: str) -> str:
        """Ask Git about what the cluster follows."""
        command = ("git", "--git-dir", str(self.folder / "pushed.git"), *words)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    for folder in ("bin", "state", "checkout/.ci", "checkout/.venv/bin"):
        (tmp_path / folder).mkdir(parents=True)
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    for file in ("bin/docker", "bin/kind", "bin/kubectl", "checkout/.ci/images", "checkout/.venv/bin/rankloop"):
        (tmp_path / file).write_text(RECORDER)
        (tmp_path / file).chmod(0o755)
    shutil.copy(ROOT / ".ci/cluster", made.checkout / ".ci/cluster")
    for part in ("laptop", "overlays", "clusters", "components"):
        shutil.copytree(ROOT / "manifests" / part, made.checkout / "manifests" / part)
    (made.checkout / ".gitignore").write_text(".laptop/\n.venv/\n")
    (tmp_path / ".gitconfig").write_text(f'[url "file://{tmp_path}/pushed.git"]\n  insteadOf = {GIT}\n')
    git = ("git", "-c", "user.name=Tests", "-c", "user.email=tests@localhost")
    for words in (("init", "--quiet", "--initial-branch=main"), ("add", "--all"), ("commit", "--quiet", "-m", "x")):
        subprocess.run([*git, *words], cwd=made.checkout, check=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", tmp_path / "pushed.git"], check=True)
    return made


def test_it_makes_everything_in_order_and_ends_with_the_addresses(machine: Machine) -> None:
    ended = machine.run()
    assert ended.returncode == 0, ended.stderr
    calls = machine.calls()
    order = [
        "docker run --detach --restart always --name rankloop-registry",
        "kind create cluster --name rankloop --config manifests/laptop/kind.yaml",
        *(
            f"kubectl apply --server-side --force-conflicts --kustomize manifests/laptop/platform/{part}"
            for part in ("cert-manager", "kubeflow", "metrics-server", "argo-cd", "argo-rollouts", "monitoring", "git")
        ),
        "kubectl wait deployment --all --all-namespaces",
        "kubectl exec deployment/gitea --namespace git -- gitea admin user create",
        "images",
        "rankloop upload s3://mlpipeline/sources",
        "rankloop compile",
        "rankloop render",
        "kubectl create secret generic rankloop --namespace rankloop-laptop",
        f"kubectl apply --server-side --field-manager rankloop --kustomize {machine.checkout}/.laptop/repository",
        "kubectl wait pipelineversion/x --for create",
        "rankloop submit training --namespace rankloop-laptop --service-account rankloop-training",
        "rankloop keys add laptop",
    ]
    places = [next(at for at, call in enumerate(calls) if call.startswith(words)) for words in order]
    assert places == sorted(places)
    assert "http://localhost:3000/rankloop/rankloop/pulls" in ended.stdout
    assert "admin, password-of-argo-cd" in ended.stdout


def test_every_part_of_the_platform_is_installed(machine: Machine) -> None:
    machine.run()
    applied = {call.rpartition("/")[2] for call in machine.calls() if "manifests/laptop/platform/" in call}
    assert applied == {folder.name for folder in (ROOT / "manifests/laptop/platform").iterdir()}


def test_the_cluster_follows_a_copy_that_holds_the_environment_alone(machine: Machine) -> None:
    machine.run()
    files = machine.pushed("ls-tree", "-r", "--name-only", "main", "manifests/overlays").split()
    names = {Path(file).name for file in files if "/laptop/" in file}
    assert {Path(file).parts[2] for file in files} == {"laptop", "local"}
    assert names == {file.name for file in (ROOT / "manifests/laptop/environment").iterdir()} | {"shop.toml"}
    for file in ("kustomization.yaml", "repository.yaml"):
        text = machine.pushed("show", f"main:manifests/clusters/main/{file}")
        assert "http://gitea.git:3000/rankloop/rankloop.git" in text
        assert "git.example.org" not in text
    assert "BEGIN PUBLIC KEY" in machine.pushed("show", "main:manifests/components/signing/signing.pub")
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=machine.checkout, capture_output=True, text=True)
    assert changed.stdout == "", "the working tree stays as it is"


def test_the_second_time_makes_nothing_again_and_keeps_what_was_merged(machine: Machine) -> None:
    machine.run()
    machine.calls()
    merge(machine)
    head = machine.pushed("rev-parse", "main")
    ended = machine.run()
    assert ended.returncode == 0, ended.stderr
    calls = " ".join(machine.calls())
    for words in ("docker run", "kind create", "user create", "generate-access-token", "submit", "keys add"):
        assert words not in calls
    assert machine.pushed("rev-parse", "main") == head


def merge(machine: Machine) -> None:
    """Change the bundle in the cluster's Git, as a merged pull request does."""
    work = machine.folder / "work"
    subprocess.run(["git", "clone", "--quiet", machine.folder / "pushed.git", work], check=True)
    bundle = work / "manifests/overlays/laptop/bundle.yaml"
    bundle.write_text(bundle.read_text().replace("0" * 64, "ab" * 32))
    author = ("-c", "user.name=Tests", "-c", "user.email=tests@localhost")
    subprocess.run(["git", *author, "commit", "--quiet", "--all", "-m", "Merged"], cwd=work, check=True)
    subprocess.run(["git", "push", "--quiet"], cwd=work, check=True)


def test_after_something_failed_it_goes_on(machine: Machine) -> None:
    rankloop = machine.checkout / ".venv/bin/rankloop"
    rankloop.write_text(RECORDER.replace("*generate", '"rankloop submit "*) exit 1 ;;\n  *generate'))
    assert machine.run().returncode == 1
    rankloop.write_text(RECORDER)
    assert machine.run().returncode == 0
    calls = machine.calls()
    assert sum("kind create" in call for call in calls) == 1
    assert sum("rankloop submit" in call for call in calls) == 2


@pytest.mark.parametrize(
    ("missing", "variables", "said"),
    [
        ("kind", {}, "found no kind, expected 0.27 or newer"),
        ("kubectl", {}, "found no kubectl, expected 1.31 or newer"),
        ("docker", {}, "no Docker answers; install or start it"),
        (None, {"MEMORY": "8589934592"}, "found 8 GiB of memory for Docker, expected 14 or more; see its settings"),
        (None, {"PROCESSORS": "2"}, "found 2 processors for Docker, expected 4 or more; see its settings"),
    ],
)
def test_a_machine_that_does_not_do_is_told_why_and_left_alone(
    machine: Machine, missing: str | None, variables: dict[str, str], said: str
) -> None:
    if missing:
        (machine.folder / "bin" / missing).unlink()
    ended = machine.run(**variables)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"cluster: {said}")
    assert [call for call in machine.calls() if not call.startswith("docker info")] == []
    assert not (machine.checkout / ".laptop").exists()


def test_it_goes_as_a_whole(machine: Machine) -> None:
    machine.run()
    machine.calls()
    assert machine.run("down").returncode == 0
    assert machine.calls() == [
        "kind delete cluster --name rankloop",
        "docker rm --force --volumes rankloop-registry",
    ]
    assert not (machine.checkout / ".laptop").exists()
    assert list((machine.folder / "state").glob("[rc]*")) == []
