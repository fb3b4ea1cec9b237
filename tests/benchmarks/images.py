"""The images' sizes, and how long the service takes in its container until it is ready.

Run with ``python -m tests.benchmarks.images`` as root: it builds the three images on a base of this machine's Python.
"""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from tests.container.asking import is_ready
from tests.container.docker_engine import Docker, docker_engine
from tests.container.images import images_of
from tests.container.inside import ANYONE, SCRATCH, USER
from tests.pipelines.homes.tiny_shop import TINY, make_tiny_shop, rankloop
from tests.servers import free_port

LIMITS = {"serving": 650e6, "steps": 1.4e9, "monitoring": None}
STARTS = 5


def main() -> None:
    """Print a line an image, and the seconds from `docker run` to the first answer that says ready."""
    with TemporaryDirectory(prefix="rankloop-") as name, docker_engine() as docker:
        folder = Path(name)
        folder.chmod(0o755)
        ended = rankloop("run", "--shop", make_tiny_shop(folder / "shop", TINY), "--home", folder / "home")
        assert ended.returncode == 0, ended.stderr
        for place in (folder / "home", *(folder / "home").rglob("*")):
            os.chown(place, USER, 0)
        with images_of(docker, folder) as images:
            base = docker.inspect("image", f"{images.name}/base")["Size"]
            for target, limit in LIMITS.items():
                size = docker.inspect("image", images.build(target))["Size"]
                bound = f" (at most {limit / 1e6:,.0f} MB)" if limit else ""
                print(f"{target}: {size / 1e6:,.0f} MB, {base / 1e6:,.0f} MB of them the base{bound}", flush=True)
            serving = f"{images.name}/serving"
            starts = sorted(_start(docker, serving, folder / "home") for _ in range(STARTS))
            seconds, busy = zip(*starts, strict=True)
            print(f"ready after {seconds[0]:.1f} to {seconds[-1]:.1f} s in {STARTS} starts (at most 10 s)")
            print(f"of which a processor worked {min(busy):.1f} to {max(busy):.1f} s")


def _start(docker: Docker, image: str, home: Path) -> tuple[float, float]:
    """Return the seconds until the service is ready, and those of processor time that it took for that."""
    port = free_port()
    options = ("--detach", "--network", "host", *ANYONE, *SCRATCH, "--volume", f"{home}:/home/shop")
    began = time.perf_counter()
    container = docker("run", *options, image, "serve", "--port", str(port))
    try:
        while not is_ready(f"http://127.0.0.1:{port}"):
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        used = psutil.Process(docker.inspect("container", container)["State"]["Pid"]).cpu_times()
        return seconds, used.user + used.system
    finally:
        docker("rm", "--force", container)


if __name__ == "__main__":
    main()
