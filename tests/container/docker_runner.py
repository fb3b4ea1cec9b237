"""A pipeline in its images: KFP's own DockerRunner, as a cluster would run the containers.

``python -m tests.container.docker_runner`` takes a job as JSON; KFP's settings are those of a whole process.
"""

import json
import os
import random
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from docker.errors import APIError
from docker.models.containers import Container, ContainerCollection
from docker.types import Mount
from kfp import components, local

from components.contracts.images import image
from pipelines.compiled import compile_package

ANYONE = "12345:0"
ROOT = Path(__file__).parents[2]
DURING_IMPORTS = (0.2, 1.0)  # seconds after a container's start: no step is over by then


@dataclass(frozen=True)
class DockerRun:
    """A run of a pipeline in images: a target's image by its name, and the steps whose first container is killed."""

    pipeline: str
    arguments: dict[str, Any]
    images: dict[str, str]
    shop: str  # folder with shop.toml
    folder: str  # for KFP's files
    variables: dict[str, str]
    killed_steps: list[str] = field(default_factory=list)
    kill_after: tuple[float, float] = DURING_IMPORTS  # seconds, drawn by the seed
    seed: int = 0
    memory: str = "2g"
    scratch: str = "512m"


def run_in_docker(run: DockerRun, host: str) -> list[str]:
    """Run a pipeline to its end, and return the steps of which a container was killed."""
    words = [sys.executable, "-m", "tests.container.docker_runner", json.dumps(asdict(run))]
    variables = os.environ | ({"DOCKER_HOST": host} if host else {})
    ended = subprocess.run(words, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-4000:]
    return list(json.loads(ended.stdout.splitlines()[-1]))


class Containers:
    """The containers of a run: kept until its end, since KFP takes one that is gone for one that ended well."""

    def __init__(self, run: DockerRun) -> None:
        self._waiting, self._random = set(run.killed_steps), random.Random(run.seed)
        self._kill_after = run.kill_after
        self._made: list[Container] = []
        self.killed: list[str] = []

    def run(self, collection: ContainerCollection, *words: Any, **options: Any) -> Container:
        """Start a container in place of Docker's own method; it may be killed after a while."""
        container = START(collection, *words, **(options | {"auto_remove": False}))
        self._made.append(container)
        step = options["command"][-1]
        if step in self._waiting:
            self._waiting.remove(step)
            threading.Timer(self._random.uniform(*self._kill_after), self._kill, (step, container)).start()
        return container

    def _kill(self, step: str, container: Container) -> None:
        try:
            container.kill()
        except APIError:  # it has ended already
            return
        self.killed.append(step)

    def remove(self) -> None:
        """Remove them all."""
        for container in self._made:
            container.remove(force=True)


START = ContainerCollection.run


def main() -> None:
    """Run the job that is the first argument, and print the killed steps."""
    run = DockerRun(**json.loads(sys.argv[1]))
    containers = Containers(run)
    ContainerCollection.run = lambda *words, **options: containers.run(*words, **options)
    folders = [Path(run.folder) / name for name in ("kfp", "workspace")]
    for folder in folders:
        folder.mkdir(parents=True)
        folder.chmod(0o777)
    local.init(_runner(run), pipeline_root=str(folders[0]), workspace_root=str(folders[1]))
    try:
        _compiled(run)(**run.arguments)
    finally:
        containers.remove()
    print(json.dumps(containers.killed))


def _runner(run: DockerRun) -> local.DockerRunner:
    return local.DockerRunner(
        user=ANYONE,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        tmpfs={"/tmp": f"size={run.scratch}"},
        mem_limit=run.memory,
        pids_limit=256,
        network_mode="host",
        environment=run.variables,
        mounts=[Mount("/etc/rankloop", run.shop, type="bind", read_only=True)],
    )


def _compiled(run: DockerRun) -> Any:
    """Return the pipeline as it is compiled for a cluster, with images that were not pushed and so have no digest."""
    file = Path(run.folder) / "pipeline.yaml"
    compile_package(run.pipeline, file)
    text = file.read_text().partition("\n---\n")[0]
    for target, name in run.images.items():
        text = text.replace(image(target), name)
    return components.load_component_from_text(text.replace("backoffDuration: 30s", "backoffDuration: 1s"))


if __name__ == "__main__":
    main()
