"""A training run with each step in a container, beside `rankloop run` on the same machine.

Run with ``python -m tests.benchmarks.containers`` as root: it builds the image, and runs the demo shop. The home of the
containers lies in a bucket. With ``--kills 20`` it runs a small shop 20 times instead, and each time kills the first
container of every step at a random moment.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from components.contracts.steps.declared import steps_of
from components.home.layout import ONLINE_VARIABLE, Home
from components.home.runs.records import new_run_id
from components.home.storage.locations import BucketPath
from pipelines.paths import DEFAULT_SHOP
from pipelines.upload import moved_shop_file, plan_uploads
from tests.container.docker_engine import docker_engine
from tests.container.docker_runner import DockerRun, run_in_docker
from tests.container.images import images_of
from tests.pipelines.homes.finished_home import REFUSING
from tests.pipelines.homes.home_content import content_of, content_of_folder, last_digests
from tests.pipelines.homes.tiny_shop import TINY, make_tiny_shop, rankloop
from tests.servers import redis_server, s3_server

LIMIT = 1.5
AT_ANY_MOMENT = (0.5, 6.0)  # seconds after a container's start: two are imports, the rest is work

Run = Callable[[int, Sequence[str]], tuple[Home, list[str]]]


def main() -> None:
    """Print the seconds of both runs and their ratio, or how many runs with kills came to the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=0, metavar="RUNS")
    kills = parser.parse_args().kills
    with TemporaryDirectory(prefix="rankloop-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shop_file = make_tiny_shop(folder / "shop", TINY, REFUSING) if kills else DEFAULT_SHOP
        home = folder / "home"
        began = time.perf_counter()
        ended = rankloop("run", "--shop", shop_file, "--home", home)
        here = time.perf_counter() - began
        assert ended.returncode == 0, ended.stderr
        with _containers(folder, shop_file) as run:
            if kills:
                _print_kills(run, Home(home), kills)
            else:
                began = time.perf_counter()
                bucket, _ = run(0, ())
                seconds = time.perf_counter() - began
                same = last_digests(bucket) == last_digests(Home(home))
                print(f"here {here:.1f} s, in containers {seconds:.1f} s: {seconds / here:.2f} x (at most {LIMIT} x)")
                print(f"the same features, examples and bundle: {'yes' if same else 'no'}")


def _print_kills(run: Run, home: Home, runs: int) -> None:
    expected, killed, same = content_of_folder(home), 0, 0
    for seed in range(runs):
        bucket, steps = run(seed, steps_of("training"))
        killed += len(steps)
        same += content_of(bucket) == expected
        print(f"seed {seed}: killed {', '.join(steps)}", flush=True)
    print(f"{same} of {runs} runs came to the same, with {killed} kills")


@contextmanager
def _containers(folder: Path, shop_file: Path) -> Iterator[Run]:
    """Build the images and give a function: it trains in a fresh home, and returns that and the killed steps."""
    for name in ("servers", "mounted"):
        (folder / name).mkdir()
    with (
        s3_server(folder / "servers") as s3,
        redis_server(folder / "servers") as redis,
        docker_engine() as docker,
        images_of(docker, folder) as images,
    ):
        built = {target: images.build(target) for target in ("steps", "monitoring")}
        os.environ.update(s3.environment | {"RANKLOOP_CACHE": str(folder / "cache")})
        uploads = plan_uploads(shop_file, BucketPath("ready", "data"))
        for upload in uploads:
            upload.run()
        (folder / "mounted" / "shop.toml").write_text(moved_shop_file(shop_file, uploads))

        def run(seed: int, killed_steps: Sequence[str]) -> tuple[Home, list[str]]:
            home = Home(BucketPath("ready", f"home-{seed}"))
            os.environ[ONLINE_VARIABLE] = f"{redis[:-1]}{seed % 16}"  # a database of its own
            job = DockerRun(
                pipeline="training",
                arguments={
                    "shop": "/etc/rankloop/shop.toml",
                    "home": str(home.root),
                    "run_id": new_run_id(),
                    "fingerprint": {"code": "same"},
                },
                images=built,
                shop=str(folder / "mounted"),
                folder=str(folder / f"kfp-{seed}"),
                variables=s3.environment | {ONLINE_VARIABLE: os.environ[ONLINE_VARIABLE]},
                killed_steps=list(killed_steps),
                kill_after=AT_ANY_MOMENT,
                seed=seed,
                memory="6g",
                scratch="4g",
            )
            return home, run_in_docker(job, docker.host)

        yield run


if __name__ == "__main__":
    main()
