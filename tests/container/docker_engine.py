"""A real Docker engine: the machine's where one answers, else one of the tests' own, ended and removed with them."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import binary_of, running

PACKAGE = "docker.io"
DISK_BYTES = 1 << 35  # of address; the file holds what is written
PACKAGED_CLIENT = Path("/usr/bin/docker")  # has BuildKit in it; another one on the path may not


@dataclass(frozen=True)
class Docker:
    """A client and the engine that it speaks to; ``host`` is empty for the engine that the client finds by itself."""

    client: str
    host: str

    def __call__(self, *words: str | Path) -> str:
        """Run a command that must end well, and return what it printed."""
        ended = self._run(*words)
        assert ended.returncode == 0, f"docker {' '.join(map(str, words))}:\n{(ended.stdout + ended.stderr)[-6000:]}"
        return ended.stdout.strip()

    def inspect(self, kind: str, name: str) -> Any:
        """Everything that the engine knows of one image or container."""
        return json.loads(self(kind, "inspect", name))[0]

    def logs(self, container: str) -> str:
        """What a container wrote so far."""
        ended = self._run("logs", container)
        return ended.stdout + ended.stderr

    @property
    def answers(self) -> bool:
        """Whether an engine is there."""
        return self._run("info").returncode == 0

    def _run(self, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        variables = os.environ | {"DOCKER_BUILDKIT": "1"} | ({"DOCKER_HOST": self.host} if self.host else {})
        return subprocess.run(
            [self.client, *map(str, words)], env=variables, capture_output=True, text=True, check=False
        )


@contextmanager
def docker_engine(registry: str = "") -> Iterator[Docker]:
    """Give the machine's engine, or run one for as long as the block lasts (as root).

    One of our own takes a registry for one that may speak plain HTTP.
    """
    command = shutil.which("docker")
    if command and Docker(command, "").answers:
        yield Docker(command, "")
        return
    daemon = binary_of("dockerd", package=PACKAGE)
    with _roomy_folder() as folder:
        ours = Docker(str(PACKAGED_CLIENT if PACKAGED_CLIENT.exists() else command), f"unix://{folder}/socket")
        try:
            with running(_command(daemon, ours.host, folder, registry), folder / "log", ready=lambda: ours.answers):
                yield ours
        finally:
            for place in (folder / "exec").glob("netns/*"):
                subprocess.run(["umount", str(place)], check=False, capture_output=True)


@contextmanager
def _roomy_folder() -> Iterator[Path]:
    """A folder on a disk in one file, which goes in no time; an engine's hundred thousand files would take minutes.

    Where the machine has no loop devices it is a plain folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="docker-"))
    disk = folder.with_suffix(".disk")
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", str(disk)], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", str(disk), str(folder)], check=False).returncode == 0
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        disk.unlink()
        shutil.rmtree(folder)


def _command(daemon: str, host: str, folder: Path, registry: str) -> list[str]:
    """An engine that keeps to its folder and changes nothing of the machine's network; networks are made on demand."""
    settings = {"insecure-registries": [registry]} if registry else {}
    (folder / "settings.json").write_text(json.dumps(settings))  # not the machine's own
    places = {"data-root": "data", "exec-root": "exec", "pidfile": "pid", "config-file": "settings.json"}
    return [
        *(daemon, "--host", host),
        *(word for option, place in places.items() for word in (f"--{option}", str(folder / place))),
        *("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
        *("--userland-proxy=false", "--default-ulimit=nofile=16384:16384", "--oom-score-adjust=0"),
        "--exec-opt=native.cgroupdriver=cgroupfs",
    ]
