"""Real servers for tests: started on a free loopback port, stopped by their process id."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import obstore
import obstore.exceptions
from obstore.store import S3Store

START_SECONDS = 120  # and STOP_SECONDS: a machine that builds images meanwhile takes its time
STOP_SECONDS = 60
PATIENCE: dict[str, Any] = {"client_options": {"allow_http": True}, "retry_config": {"max_retries": 0}}
PORTS = range(20_000, 32_000)  # below those that Linux gives for port 0


class QuietHTTPServer(ThreadingHTTPServer):
    """A server of a test's own, in this process; a client that does not wait for its answer is nothing to print."""

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://{self.server_address[0]!s}:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print what went wrong, as the base class does, unless the client has gone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


Served = TypeVar("Served", bound=QuietHTTPServer)


@contextmanager
def answering(server: Served) -> Iterator[Served]:
    """Answer the requests to a server of this process while the block runs."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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
def prometheus_server(folder: Path, configuration: str) -> Iterator[str]:
    """Run a Prometheus that scrapes what its configuration names, and give its URL.

    Errors: RuntimeError where the binary is missing and cannot be installed, or refuses the configuration.
    """
    binary = binary_of("prometheus", package="prometheus")
    (folder / "prometheus.yml").write_text(configuration)
    port = free_port()
    command = [binary, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/series"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with running(command, folder / "prometheus.log", ready=lambda: _is_ready(f"http://127.0.0.1:{port}/-/ready")):
        yield f"http://127.0.0.1:{port}"


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@dataclass(frozen=True)
class S3Server:
    """A running SeaweedFS: its endpoint, and the variables by which every client reaches it."""

    endpoint: str
    environment: dict[str, str]


@contextmanager
def s3_server(folder: Path, identities: Sequence[dict[str, Any]] = ()) -> Iterator[S3Server]:
    """Run an empty SeaweedFS in a folder; a bucket comes into being with its first object.

    identities: those that it knows beside the one of the variables, who may do anything.
    """
    key, secret, rights = "tests", secrets.token_hex(8), ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": key, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": rights}
    nobody = {"name": "anonymous", "actions": rights}  # for requests that are changed on their way: no signature fits
    (folder / "s3.json").write_text(json.dumps({"identities": [identity, nobody, *identities]}))
    s3_port = free_port()
    options = [f"-{part}.port.grpc={free_port()}" for part in ("master", "volume", "filer", "s3")]
    options += [f"-{part}.port={free_port()}" for part in ("master", "volume", "filer")] + [f"-s3.port={s3_port}"]
    options += ["-filer", "-s3", f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    options += [f"-filer.localSocket={folder}/filer.sock", f"-s3.localSocket={folder}/s3.sock"]
    options += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
    options += ["-volume.max=20", "-master.volumeSizeLimitMB=256"]
    command = [str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder}", *options]
    endpoint = f"http://127.0.0.1:{s3_port}"
    variables = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL": endpoint}
    with running(
        [*command, "-ip.bind=127.0.0.1", *options], folder / "weed.log", ready=lambda: _takes_objects(variables)
    ) as process:
        try:
            yield S3Server(endpoint, variables | {"AWS_REGION": "us-east-1"})
        finally:
            process.kill()  # it keeps nothing, and would take half a minute to end by itself


def _takes_objects(variables: dict[str, str]) -> bool:
    """Say whether an object can be put: the gateway answers before its volumes do."""
    store = S3Store("ready", config={name.lower(): value for name, value in variables.items()}, **PATIENCE)
    try:
        obstore.put(store, "ready", b"ready")
    except (obstore.exceptions.BaseError, OSError):
        return False
    return True


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


@contextmanager
def docker_registry(folder: Path, users: Path | None = None) -> Iterator[str]:
    """Run an empty registry of images in a folder, and give its address; ``users`` is an htpasswd file."""
    binary, address = binary_of("docker-registry", package="docker-registry"), f"127.0.0.1:{free_port()}"
    lines = [
        "version: 0.1",
        f"storage: {{filesystem: {{rootdirectory: {folder}/images}}}}",
        f"http: {{addr: {address}}}",
    ]
    if users:
        lines.append(f"auth: {{htpasswd: {{realm: tests, path: {users}}}}}")
    (folder / "registry.yaml").write_text("\n".join(lines))
    port = int(address.rpartition(":")[2])
    with running([binary, "serve", f"{folder}/registry.yaml"], folder / "registry.log", ready=lambda: _listens(port)):
        yield address


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


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
