"""Real servers for tests: started on a free loopback port, stopped by their process id."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 120  # and STOP_SECONDS: a machine that builds images meanwhile takes its time
STOP_SECONDS = 60
PORTS = range(20_000, 32_000)  # below those that Linux gives to whoever asks for any


@contextmanager
def redis_server(folder: Path, port: int | None = None) -> Iterator[str]:
    """Run an empty Redis that keeps nothing, and give its URL.

    folder: where the server works; port: a free one if left out.
    Errors: RuntimeError where the binary is missing and cannot be installed.
    """
    binary = binary_of("redis-server", package="redis-server")
    port = port or free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no"]
    with running(command, folder / "redis.log", ready=lambda: _answers(port)):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run an empty PostgreSQL in a temporary folder, and give the URL of its database.

    It refuses to run as root: then the package's own user ``postgres`` runs it. errors: RuntimeError where the
    binaries are missing and cannot be installed.
    """
    user = "postgres" if os.geteuid() == 0 else None
    binaries = _postgresql_binaries()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        if user:
            shutil.chown(folder, user)
        data = f"{folder}/data"
        initdb = [f"{binaries}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, user=user, cwd=folder)
        command = [f"{binaries}/postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"]
        command += ["-c", "timezone=UTC"]  # not the machine's
        with running(command, Path(folder) / "log", ready=lambda: _accepts(binaries, port), user=user):
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


def _postgresql_binaries() -> Path:
    binary_of("pg_ctlcluster", package="postgresql")
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


def _accepts(binaries: Path, port: int) -> bool:
    asked = [f"{binaries}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(asked, check=False).returncode == 0


@contextmanager
def running(
    command: list[str], log: Path, ready: Callable[[], bool], user: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server, as another user where one is named, until the block ends; it has two minutes to become ready."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, user=user)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"{' '.join(command)} did not become ready:\n{log.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def binary_of(name: str, package: str) -> str:
    """Return a server's binary, installing its Debian package first where it is missing and this user is root.

    Errors: RuntimeError that says which package to install.
    """
    found = shutil.which(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        install = "apt-get -o DPkg::Lock::Timeout=180 {}"
        subprocess.run(install.format("update -q").split(), check=False, capture_output=True)
        subprocess.run(
            install.format(f"install -y --no-install-recommends {package}").split(), check=False, capture_output=True
        )
        found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is not installed and these tests need it: apt-get install {package}, as root")
    return found


def free_port() -> int:
    """Return a loopback port that nothing listens on, and that the system gives to no other process by itself."""
    while True:
        port = PORTS[secrets.randbelow(len(PORTS))]
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
    except OSError:
        return False
