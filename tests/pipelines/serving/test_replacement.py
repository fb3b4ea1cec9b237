"""A service that another one replaces, under load: no request is dropped, no acknowledged event is lost."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from components.feedback.reading import served_events
from components.home.storage.locations import BucketPath
from tests import steady_load
from tests.components.ranking_service.served_shop import Stocked, published, random_trees, stocked
from tests.pipelines.homes.served_home import Server, serving
from tests.pipelines.serving.balancer import Balancer, balancing
from tests.servers import S3Server, redis_server
from tests.steady_load import Report
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=25)

RATE = 150
# How long the machine takes is not tested: a request may wait, and a drain ends when nobody is connected any more.
PATIENT = {
    "RANKLOOP_WAITING_MS": "60000",
    "RANKLOOP_REQUESTS_PER_SECOND": "1000000",
    "RANKLOOP_REQUESTS_AT_ONCE": "1000000",
    "RANKLOOP_DRAIN_SECONDS": "600",
}


@dataclass(frozen=True)
class Shop:
    """A home in a bucket, and the variables by which a service reaches it."""

    stocked: Stocked
    variables: dict[str, str]

    def serving(self, bundle: str, cache: Path) -> AbstractContextManager[Server]:
        """Serve one bundle, as a pod does."""
        variables = self.variables | PATIENT | {"RANKLOOP_CACHE": str(cache), "RANKLOOP_BUNDLE": bundle}
        return serving(self.stocked, **variables)


@pytest.fixture
def shop(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with redis_server(tmp_path) as url:
        variables = s3.environment | {"RANKLOOP_ONLINE_URL": url}
        for name, value in (variables | {"RANKLOOP_CACHE": str(tmp_path / "cache")}).items():
            monkeypatch.setenv(name, value)
        yield Shop(stocked(tmp_path, BucketPath("ready", f"replaced/{uuid4().hex}")), variables)


@contextmanager
def loading(port: int, file: Path) -> Iterator[None]:
    """Send requests at a steady rate while the block lasts, then wait for the last answers."""
    with file.open("w") as printed:
        command = [sys.executable, steady_load.__file__, "127.0.0.1", str(port), str(RATE)]
        process = subprocess.Popen(command, stdout=printed)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0


def report(file: Path) -> Report:
    """Return what became of the requests so far."""
    return Report.read(file.read_text().splitlines(keepends=True))


def end_gracefully(balancer: Balancer, server: Server) -> None:
    """End a service as a cluster does, which waits; a second signal ends the drain once nobody is connected."""
    workers = psutil.Process(server.process.pid).children()  # BentoML's own process hands on the first signal only
    server.process.send_signal(signal.SIGTERM)
    until(lambda: not balancer.is_ready(server.address))
    until(lambda: balancer.connections(server.address) == 0)
    balancer.remove(server.address)
    for worker in workers:
        worker.terminate()


def test_no_request_is_dropped_while_services_are_replaced(shop: Shop, tmp_path: Path) -> None:
    home, printed = shop.stocked.home, tmp_path / "load"
    old = shop.stocked.bundle.digest
    new = published(home, tmp_path / "new", random_trees(shop.stocked.features.revision, seed=6)).digest

    def serve(stack: ExitStack, bundle: str, cache: str) -> Server:
        """Start a service and wait until callers have got its answers."""
        server = stack.enter_context(shop.serving(bundle, tmp_path / cache))
        balancer.add(server.address)
        until(lambda: balancer.is_ready(server.address))
        return server

    def is_answering(bundle: str, since: float) -> bool:
        return (report(printed).last(bundle) or 0) > since

    with balancing() as balancer, ExitStack() as first, ExitStack() as second, ExitStack() as third:
        stable = serve(first, old, "stable")
        with loading(balancer.port, printed):
            until(lambda: is_answering(old, 0))
            canary = serve(second, new, "canary")
            until(lambda: is_answering(new, 0))  # beside the old one, as a canary
            end_gracefully(balancer, stable)
            first.close()
            rolled_back = time.time()
            again = serve(third, old, "again")
            end_gracefully(balancer, canary)
            second.close()
            until(lambda: is_answering(old, rolled_back))
        end_gracefully(balancer, again)
    loads = report(printed)
    kept = set(served_events(home)["event_id"].to_pylist())
    assert loads.dropped == []
    assert loads.acknowledged() - kept == set()
    assert loads.acknowledged()
