"""``rankloop serve`` of a living home, for as long as a test asks it something."""

import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from components.home.layout import Home
from tests.pipelines.homes.tiny_shop import command
from tests.servers import free_port

PATIENCE_SECONDS = 300
PATIENT = {"RANKLOOP_STORE_DEADLINE_MS": "10000"}  # on a busy machine a Redis takes longer than an answer may


@dataclass(frozen=True)
class Server:
    """A server that is ready."""

    address: str
    process: "subprocess.Popen[bytes]"
    log: Path


class WithHome(Protocol):
    """A shop of a test, whose home can be served."""

    @property
    def home(self) -> Home:
        """Return its home."""


@contextmanager
def serving(
    living: WithHome, environment: str = "local", wait_for: str = "/readyz", **variables: str
) -> Iterator[Server]:
    """Serve an environment on a free port, with variables added to the server's environment, until the test ends it.

    It is waited until ``wait_for`` answers well.
    """
    port = str(free_port())
    words = command("serve", "--home", str(living.home.root), "--port", port, "--env", environment)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "serve.log")
        with log.open("wb") as printed:
            process = subprocess.Popen(
                words,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | PATIENT | variables,
            )
        try:
            _wait(f"http://127.0.0.1:{port}{wait_for}", process, log)
            yield Server(f"http://127.0.0.1:{port}", process, log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=PATIENCE_SECONDS)
            assert not _alive(process.pid)


@contextmanager
def served(living: WithHome, environment: str = "local") -> Iterator[str]:
    """Serve an environment; yield the address."""
    with serving(living, environment) as server:
        yield server.address


def _wait(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except urllib.error.HTTPError as error:
            error.close()
            time.sleep(0.1)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    os.killpg(server.pid, signal.SIGKILL)
    raise AssertionError(f"the server did not become ready: {log.read_text()}")


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
