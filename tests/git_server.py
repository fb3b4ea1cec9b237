"""A real Git server for tests: one bare repository over HTTP (git http-backend) and over SSH."""

import os
import shlex
import subprocess
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import paramiko

from components.bundles.digest import PREFIX
from tests.servers import QuietHTTPServer, answering, binary_of

NOBODY = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "HOME": os.devnull}  # no developer's settings
AUTHOR = {
    f"GIT_{role}_{kind}": text
    for role in ("AUTHOR", "COMMITTER")
    for kind, text in (("NAME", "Tests"), ("EMAIL", "tests@localhost"))
}
NOTHING = PREFIX + 64 * "0"
BUNDLE_YAML = """\
- op: test
  path: /spec/template/spec/containers/0/env/0/name
  value: RANKLOOP_BUNDLE
- op: replace
  path: /spec/template/spec/containers/0/env/0/value
  value: {digest}
"""
ROLLOUT_YAML = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: rankloop
spec:
  template:
    spec:
      containers:
      - env:
        - name: RANKLOOP_BUNDLE
          value: {digest}
        image: rankloop@sha256:0000000000000000000000000000000000000000000000000000000000000000
"""


@dataclass
class Repository:
    """A bare repository on this machine, with an overlay for each environment."""

    folder: Path
    environments: tuple[str, ...] = ("staging", "production")

    def git(self, *arguments: str, content: bytes | None = None, at: str | None = None, check: bool = True) -> str:
        """Run Git in the repository and return what it prints; ``at`` is the moment of a commit."""
        moments = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at} if at else {}
        done = subprocess.run(
            [binary_of("git", package="git"), *arguments],
            cwd=self.folder,
            input=content,
            capture_output=True,
            check=False,
            env=os.environ | NOBODY | AUTHOR | moments,
        )
        if check and done.returncode:
            raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.decode()}")
        return done.stdout.decode().strip() if done.returncode == 0 else ""

    def create(self) -> None:
        """Make it, with manifests whose lines name no bundle yet."""
        self.folder.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", "--initial-branch", "main")
        self.git("config", "http.receivepack", "true")
        files = {"README.md": "Deployment of a shop.\n"}
        for environment in self.environments:
            files[self.source(environment)] = BUNDLE_YAML.format(digest=NOTHING)
            files[self.rendered(environment)] = ROLLOUT_YAML.format(digest=NOTHING)
            files[f"manifests/rendered/{environment}/service-rankloop.yaml"] = "kind: Service\n"
        self.commit(files, "The first commit")

    def commit(
        self, files: dict[str, str], message: str, branch: str = "main", at: str | None = None, times: int = 1
    ) -> str:
        """Commit files on a branch, as somebody with the rights of the server does, and then again without change."""
        stream = f"commit refs/heads/{branch}\ncommitter Tests <tests@localhost> now\ndata {len(message.encode())}\n"
        stream += message + "\n"
        head = self.head(branch)
        stream += f"from {head}\n" if head else ""
        for path, text in files.items():
            stream += f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n"
        for _ in range(times - 1):
            stream += f"commit refs/heads/{branch}\ncommitter Tests <tests@localhost> now\ndata 5\nagain\n"
        self.git("fast-import", "--quiet", "--date-format=now", "--force", content=stream.encode())
        if at:
            made = self.git("commit-tree", f"{branch}^{{tree}}", *(["-p", head] if head else []), "-m", message, at=at)
            self.git("update-ref", f"refs/heads/{branch}", made)
        return self.head(branch)

    def squash(self, branch: str, message: str, at: str | None = None) -> str | None:
        """Merge a branch as forges do with squashing; None if it conflicts, or main was pushed meanwhile."""
        main = self.head("main")
        tree = self.git("merge-tree", "--write-tree", main, branch, check=False)
        if not tree:
            return None
        made = self.git("commit-tree", tree, "-p", main, "-m", message, at=at)
        moved = self.git("update-ref", "refs/heads/main", made, main, check=False)
        return made if self.head("main") == made or moved else None

    def head(self, branch: str) -> str:
        """Return the commit of a branch; an empty text if there is none."""
        return self.git("rev-parse", "--quiet", "--verify", f"refs/heads/{branch}", check=False)

    def branches(self) -> list[str]:
        """Return the names of all branches."""
        return self.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").split()

    def text(self, path: str, revision: str = "main") -> str:
        """Return a file."""
        return self.git("show", f"{revision}:{path}")

    def live(self, environment: str) -> str:
        """Return the digest that an environment's line names."""
        return self.text(self.source(environment)).rpartition("value: ")[2].strip()

    def source(self, environment: str) -> str:
        """Return the path of an environment's line."""
        return f"manifests/overlays/{environment}/bundle.yaml"

    def rendered(self, environment: str) -> str:
        """Return the path of the line's rendered counterpart."""
        return f"manifests/rendered/{environment}/rollout-rankloop.yaml"

    def set_live(self, environment: str, digest: str, at: str | None = None) -> None:
        """Merge a bundle, as a person would by hand."""
        files = {
            self.source(environment): BUNDLE_YAML.format(digest=digest),
            self.rendered(environment): ROLLOUT_YAML.format(digest=digest),
        }
        self.commit(files, f"{environment}: by hand", at=at)

    def hook(self, script: str) -> None:
        """Run a script before each push is taken; one that fails refuses it."""
        path = self.folder / "hooks" / "pre-receive"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@dataclass
class Served:
    """The repository as it is served: who may what, and what goes wrong.

    ``tokens``: ``write`` or ``read`` by token. ``breaks``: requests whose path ends with this are cut off.
    """

    repository: Repository
    tokens: dict[str, str]
    breaks: str | None = None
    before_push: Any = None  # called once, before the next push is taken
    lines: list[str] = field(default_factory=list)  # method and path of each request
    url: str = ""


@contextmanager
def git_over_http(repository: Repository, tokens: dict[str, str], host: str = "127.0.0.1") -> Iterator[Served]:
    """Serve a repository over HTTP, at an address of this machine, to those who have a token."""
    served = Served(repository, tokens)
    handler = type("GitHandler", (_GitHandler,), {"served": served})
    with answering(QuietHTTPServer((host, 0), handler)) as server:
        served.url = f"{server.url}/shop/deploy.git"
        yield served


class _GitHandler(BaseHTTPRequestHandler):
    served: Served
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _serve(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        self.served.lines.append(f"{self.command} {self.path}")
        if self.served.breaks is not None and path.endswith(self.served.breaks):
            self.close_connection = True
            self.connection.close()
            return
        right = self._right()
        pushes = "git-receive-pack" in self.path
        if right is None:
            self._answer(401, {"WWW-Authenticate": 'Basic realm="Git"'}, b"")
        elif pushes and right != "write":
            self._answer(403, {}, b"You may not push here")
        elif not path.startswith("/shop/deploy.git/"):
            self._answer(404, {}, b"No such repository")
        else:
            if path.endswith("/git-receive-pack") and self.served.before_push:
                act, self.served.before_push = self.served.before_push, None
                act()
            self._backend(path.removeprefix("/shop/deploy.git"), query, body)

    def _right(self) -> str | None:
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        password = b64decode(value).decode().partition(":")[2] if scheme == "Basic" else ""
        return self.served.tokens.get(password)

    def _backend(self, path: str, query: str, body: bytes) -> None:
        folder = self.served.repository.folder
        variables = {
            "GIT_PROJECT_ROOT": str(folder.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{folder.name}{path}",
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_USER": "tests",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        command = [binary_of("git", package="git"), "http-backend"]
        done = subprocess.run(
            command, input=body, capture_output=True, check=False, env=os.environ | NOBODY | variables
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self._answer(int(headers.pop("Status", "200").split()[0]), headers, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@dataclass(frozen=True)
class SshServed:
    """A repository served over SSH: its address, and the files of who may use it."""

    url: str
    key_file: Path
    known_hosts_file: Path


@contextmanager
def git_over_ssh(repository: Repository, folder: Path) -> Iterator[SshServed]:
    """Serve a repository over SSH to the one key that lies in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    host_key, key = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(folder / "key"))
    handler = type("SshHandler", (_SshHandler,), {"repository": repository, "host_key": host_key, "allowed": key})
    with _SshServer(("127.0.0.1", 0), handler) as server:
        port = server.server_address[1]
        known = folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {host_key.get_name()} {host_key.get_base64()}\n")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield SshServed(f"ssh://git@127.0.0.1:{port}/shop/deploy.git", folder / "key", known)
        finally:
            server.shutdown()
            thread.join()


class _SshServer(ThreadingTCPServer):
    daemon_threads = False
    allow_reuse_address = True


class _SshHandler(BaseRequestHandler):
    repository: Repository
    host_key: paramiko.PKey
    allowed: paramiko.PKey

    def handle(self) -> None:
        transport = paramiko.Transport(self.request)
        transport.add_server_key(self.host_key)
        account = _Account(self.allowed)
        with suppress(paramiko.SSHException, EOFError, OSError):
            transport.start_server(server=account)
            channel = None
            while channel is None and transport.is_active():
                channel = transport.accept(0.05)
            if channel is not None and account.asked.wait(10):
                self._run(channel, account.command)
        transport.close()

    def _run(self, channel: paramiko.Channel, command: str) -> None:
        """Run upload-pack or receive-pack on the one repository until it ends; the path of the request is ignored."""
        program = shlex.split(command)[0].removeprefix("git-")
        command_line = [binary_of("git", package="git"), program, str(self.repository.folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command_line, env=os.environ | NOBODY, **pipes) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            feeding = threading.Thread(target=_feed, args=(channel, process.stdin))
            feeding.start()
            try:
                while chunk := process.stdout.read1(65_536):
                    channel.sendall(chunk)
                channel.send_exit_status(process.wait())
            finally:
                channel.close()
                feeding.join()


def _feed(channel: paramiko.Channel, sink: Any) -> None:
    with suppress(OSError, ValueError):
        while chunk := channel.recv(65_536):
            sink.write(chunk)
            sink.flush()
    with suppress(OSError):
        sink.close()


class _Account(paramiko.ServerInterface):
    def __init__(self, allowed: paramiko.PKey) -> None:
        self._allowed, self.asked, self.command = allowed, threading.Event(), ""

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        is_right = username == "git" and key == self._allowed
        return paramiko.common.AUTH_SUCCESSFUL if is_right else paramiko.common.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.command = command.decode()
        self.asked.set()
        return True
