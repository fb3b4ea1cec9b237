"""What holds for all tests: which are slow, and the servers and homes that they share."""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from components.gitops.settings import VARIABLES as GIT_VARIABLES
from components.home.storage.locations import BucketPath, Location
from tests.kubernetes.server import Cluster, kubernetes_server
from tests.pipelines.homes.finished_home import REFUSING, FinishedHome
from tests.pipelines.homes.tiny_shop import FEW, TINY, LivingHome
from tests.servers import S3Server, s3_server
from tests.shop_rights import s3_identities

# No test is judged by how long the machine took or by chance: the same examples every time, others by
# `pytest --hypothesis-profile "other examples"`.
settings.register_profile("other examples", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same examples", settings.get_profile("other examples"), derandomize=True)
settings.load_profile("same examples")

OF_THE_SHELL = (
    *GIT_VARIABLES,
    "KF_PIPELINES_ENDPOINT",
    "RANKLOOP_BUNDLE",
    "RANKLOOP_ENVIRONMENT",
    "RANKLOOP_EXPERIMENTS",
    "RANKLOOP_HOME",
    "RANKLOOP_IMAGES",
    "RANKLOOP_KFP_COOKIE",
    "RANKLOOP_KFP_TOKEN",
    "RANKLOOP_KFP_URL",
    "RANKLOOP_ONLINE_URL",
    "RANKLOOP_SECRETS",
    "RANKLOOP_SIGNATURES",
    "RANKLOOP_SIGNING_KEY",
    "RANKLOOP_VERIFY_KEYS",
)
STARTS_A_SERVER = {"s3", "bucket", "redis_url", "browser", "docker", "cluster", "prometheus"}
STARTS_A_RUN = {"ranker_home", "baseline_home"}


class FilesByHome(LoadFileScheduling):
    """Give the files that share a finished home to one worker, which makes it once; of all others one at a time."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return _home_of(self.config.rootpath / file) or file


@cache
def _home_of(file: Path) -> str | None:
    text = file.read_text()
    return next((home for home in sorted(STARTS_A_RUN) if home in text), None)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesByHome | None:
    """Schedule by file, as ``--dist loadfile`` says, and by home."""
    return FilesByHome(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)  # before `-m "not slow"` is applied
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts servers or runs as slow, and begin with the longest files, so that both workers end together."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & (STARTS_A_SERVER | STARTS_A_RUN) and not item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.slow)
    items.sort(key=_seconds, reverse=True)


def _seconds(item: pytest.Item) -> int:
    """Return how long the file of a test takes, by its mark; what needs the API server comes last, once it is built."""
    if "cluster" in getattr(item, "fixturenames", ()):
        return -1
    slow = item.get_closest_marker("slow")
    return int(slow.kwargs.get("seconds", 0)) if slow else 0


@pytest.fixture(scope="session", autouse=True)
def plain_environment() -> Iterator[None]:
    """Take away what the developer's shell says of clusters and homes; the acceptance keeps it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in OF_THE_SHELL:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run one S3 server for all tests of a worker; each uses keys of its own."""
    with s3_server(tmp_path_factory.mktemp("s3"), s3_identities("ready")) as server:
        yield server


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run one Kubernetes API server for all tests of a worker; each uses namespaces of its own."""
    with kubernetes_server(tmp_path_factory.mktemp("kubernetes")) as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BucketPath:
    """Give each test a place of its own in a bucket, and a cache."""
    for name, value in (s3.environment | {"RANKLOOP_CACHE": str(tmp_path / "cache")}).items():
        monkeypatch.setenv(name, value)
    return BucketPath("ready", f"a home ü/{uuid4().hex}")


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.slow)])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Give a place for a home, once in a folder and once in a bucket."""
    return tmp_path / "home" if request.param == "folder" else request.getfixturevalue("bucket")


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="rankloop-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def finished_with_ranker(open_folder: Path) -> FinishedHome:
    return FinishedHome(open_folder / "ranker", TINY, REFUSING)


@pytest.fixture(scope="session")
def finished_with_baseline(open_folder: Path) -> FinishedHome:
    return FinishedHome(open_folder / "baseline", FEW)


@pytest.fixture(scope="module")
def ranker_home(finished_with_ranker: FinishedHome) -> LivingHome:
    """A home whose one run trained a ranker, which the gate refused; each file of tests gets it as that run left it."""
    return finished_with_ranker.restored()


@pytest.fixture(scope="module")
def baseline_home(finished_with_baseline: FinishedHome) -> LivingHome:
    """A home whose one run had too few users to train on, and promoted a baseline; fresh for each file of tests."""
    return finished_with_baseline.restored()
