"""Images for the acceptance: built, pushed to a registry, and named by their digests in a file."""

from pathlib import Path

from tests.container.docker_engine import Docker, docker_engine
from tests.container.images import images_of

TARGETS = ("steps", "monitoring", "serving")


def push_images(registry: str, folder: Path) -> Path:
    """Build the images of steps in a folder, push them, and return a file that names their digests."""
    with docker_engine(registry.partition("/")[0]) as docker, images_of(docker, folder) as images:
        pushed = {target: _pushed(docker, images.build(target), f"{registry}/python-{target}") for target in TARGETS}
    file = folder / "images.toml"
    file.write_text("\n".join(["[images]", *(f'{target} = "{name}"' for target, name in pushed.items()), ""]))
    return file


def _pushed(docker: Docker, image: str, name: str) -> str:
    """Push an image under another name, and return that name with its digest."""
    docker("tag", image, f"{name}:acceptance")
    docker("push", "--quiet", f"{name}:acceptance")
    digests = docker.inspect("image", image)["RepoDigests"]
    docker("image", "rm", f"{name}:acceptance")
    return str(next(digest for digest in digests if digest.startswith(f"{name}@")))
