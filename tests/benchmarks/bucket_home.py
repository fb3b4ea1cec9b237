"""`rankloop run` on Complete Journey with its home in a bucket, beside the same run with its home in a folder.

Run with ``python -m tests.benchmarks.bucket_home``. The bucket is a SeaweedFS, the online store a Redis, both of this
machine; the folder's online store is its own LMDB. The homes take turns, each time with a fresh home and cache.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from components.home.layout import ONLINE_VARIABLE
from tests.servers import redis_server, s3_server

ROOT = Path(__file__).parents[2]
LIMIT, SECOND_LIMIT = 1.25, 2.0


def main() -> None:
    """Print the seconds of each turn, the ratio of the medians, and the seconds of a run with nothing new."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--turns", type=int, default=3)
    turns = arguments.parse_args().turns
    first: dict[str, list[float]] = {"folder": [], "bucket": []}
    second: dict[str, list[float]] = {"folder": [], "bucket": []}
    digests = set()
    with TemporaryDirectory() as scratch, s3_server(Path(scratch)) as s3, redis_server(Path(scratch)) as redis:
        for turn in range(turns):
            variables = s3.environment | {"RANKLOOP_CACHE": f"{scratch}/cache-{turn}", ONLINE_VARIABLE: redis}
            for kind, home, extra in (
                ("folder", f"{scratch}/home-{turn}", {}),
                ("bucket", f"s3://ready/home-{turn}", variables),
            ):
                seconds, digest = _run(home, extra)
                again, _ = _run(home, extra)
                first[kind].append(seconds)
                second[kind].append(again)
                digests.add(digest)
                print(f"{kind}: {seconds:.1f} s, with nothing new {again:.2f} s", flush=True)
    ratio = median(first["bucket"]) / median(first["folder"])
    print(f"a home in a bucket: {ratio:.2f} times a folder (at most {LIMIT}); bundle digests: {len(digests)} (one)")
    print(f"with nothing new: {max(second['bucket']):.2f} s at most (at most {SECOND_LIMIT})")


def _run(home: str, extra: Mapping[str, str]) -> tuple[float, str]:
    """Return the seconds of a run, and the digest of its bundle."""
    command = [str(Path(sys.executable).with_name("rankloop")), "run", "--home", home, "--json"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    ended = subprocess.run(command, env=kept | extra, cwd=ROOT, capture_output=True, text=True, check=True)
    return time.perf_counter() - began, json.loads(ended.stdout)["bundle"]["digest"]


if __name__ == "__main__":
    main()
