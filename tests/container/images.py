"""Images of the project's one recipe, on a base that was made on this machine."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.container.docker_engine import Docker
from tests.container.machine_base import write_base

ROOT = Path(__file__).parents[2]
RECIPE = "components/Dockerfile"
REVISION = 40 * "a"
CONTEXT = (
    ".dockerignore",
    "pyproject.toml",
    "uv.lock",
    "README.md",
    "LICENSE",
    "components",
    "feature_repo",
    "pipelines",
)
AUTHORITIES = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))


@dataclass(frozen=True)
class Images:
    """A folder with what the recipe takes, and a name below which its images are kept."""

    docker: Docker
    context: Path
    name: str

    def build(self, target: str, *options: str, recipe: str = RECIPE) -> str:
        """Build one target, of another recipe in the folder where one is named, and return its image's name."""
        image = f"{self.name}/{target if recipe == RECIPE else recipe}"
        words: list[str | Path] = [
            "build",
            *options,
            "--quiet",
            "--network",
            "host",
            "--build-arg",
            f"BASE={self.name}/base",
        ]
        words += ["--build-arg", "HTTPS_PROXY", "--build-arg", f"REVISION={REVISION}"]
        if AUTHORITIES.exists():
            words += ["--secret", f"id=ca,src={AUTHORITIES}"]
        self.docker(*words, "--file", self.context / recipe, "--target", target, "--tag", image, self.context)
        return image

    def layers(self, image: str) -> list[str]:
        """Digests of an image's layers, lowest first."""
        return list(self.docker.inspect("image", image)["RootFS"]["Layers"])


@contextmanager
def images_of(docker: Docker, folder: Path) -> Iterator[Images]:
    """Copy what the recipe takes into a folder, make the base, and remove all images at the end."""
    context, name = folder / "context", f"rankloop-test-{uuid.uuid4().hex[:12]}"
    context.mkdir()
    for place in CONTEXT:
        source = ROOT / place
        if source.is_dir():
            shutil.copytree(source, context / place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, context / place)
    write_base(folder / "base.tar")
    docker("import", folder / "base.tar", f"{name}/base")
    try:
        yield Images(docker, context, name)
    finally:
        docker("image", "rm", "--force", *docker("image", "ls", "--quiet", f"{name}/*").split())
