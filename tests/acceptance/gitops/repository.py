"""The repository that Argo CD follows, and a working copy of it."""

import os
import secrets
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from components.bundles.digest import NO_BUNDLE
from pipelines.rendering import left_over, rendered_resources
from tests.acceptance.gitops.settings import GitOpsSettings
from tests.git_server import AUTHOR, NOBODY, Repository, git_over_http
from tests.kubernetes.programs import program
from tests.servers import binary_of

USER = "x-access-token"


@dataclass(frozen=True)
class GitServer:
    """A repository that this machine and the cluster reach under one address."""

    url: str
    token: str = field(repr=False)

    @property
    def variables(self) -> dict[str, str]:
        """Return variables with which Git shows the token, without a file or an argument."""
        login = b64encode(f"{USER}:{self.token}".encode()).decode()
        keys = {"http.extraHeader": f"Authorization: Basic {login}", "http.postBuffer": "100000000"}
        numbered = enumerate(keys.items())
        named = {f"GIT_CONFIG_{part}_{number}": text for number, pair in numbered for part, text in _named(pair)}
        return {"GIT_CONFIG_COUNT": str(len(keys))} | named


def _named(pair: tuple[str, str]) -> list[tuple[str, str]]:
    return [("KEY", pair[0]), ("VALUE", pair[1])]


@contextmanager
def git_server(settings: GitOpsSettings, folder: Path) -> Iterator[GitServer]:
    """Give the repository of the settings, or serve one of our own on this machine."""
    if settings.git_url:
        yield GitServer(settings.git_url, settings.git_token or "")
        return
    repository, token = Repository(folder / "deploy.git"), secrets.token_hex(16)
    repository.folder.mkdir()
    repository.git("init", "--quiet", "--bare", "--initial-branch", "main")
    repository.git("config", "http.receivepack", "true")
    with git_over_http(repository, {token: "write"}, settings.machine or "") as served:
        yield GitServer(served.url, token)


@dataclass(frozen=True)
class WorkingCopy:
    """A working copy, in which a person works and merges."""

    folder: Path
    server: GitServer
    environment: str

    @property
    def overlay(self) -> Path:
        """Return the folder of the environment's overlay."""
        return self.folder / "manifests" / "overlays" / self.environment

    def create(self, manifests: Path) -> None:
        """Begin with the project's manifests; the overlays are those of others."""
        self.folder.mkdir()
        left_out = shutil.ignore_patterns("overlays", "rendered")
        shutil.copytree(manifests, self.folder / "manifests", ignore=left_out)
        self.overlay.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("remote", "add", "origin", self.server.url)
        assert not self.git("ls-remote", "origin"), f"{self.server.url} is not empty; name another GIT_URL"

    def write_bundle(self, digest: str = NO_BUNDLE) -> None:
        """Name the bundle that is served, as a promotion does."""
        place = "/spec/template/spec/containers/0/env/0"
        test, change = f"- op: test\n  path: {place}/name", f"- op: replace\n  path: {place}/value"
        (self.overlay / "bundle.yaml").write_text(f"{test}\n  value: RANKLOOP_BUNDLE\n{change}\n  value: {digest}\n")

    def render(self) -> None:
        """Write the rendered manifests, as `rankloop render` does."""
        manifests = self.folder / "manifests"
        resources = rendered_resources(str(shutil.which("kubectl") or program("kubectl")), manifests)
        for resource in resources:
            resource.path.parent.mkdir(parents=True, exist_ok=True)
            resource.path.write_text(resource.text)
        for file in left_over(resources, manifests):
            file.unlink()

    def push(self, message: str) -> str:
        """Commit everything and push it to main; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def merge(self, branch: str) -> str:
        """Merge a branch that was proposed, by squashing it as forges do; return the commit."""
        self.git("fetch", "--quiet", "origin", branch)
        self.git("merge", "--quiet", "--squash", "FETCH_HEAD")
        commit = self.push(f"Merge {branch}")
        self.git("push", "--quiet", "origin", f":{branch}")
        return commit

    def revert(self, commit: str) -> str:
        """Revert a commit, and push that; return the new one."""
        self.git("revert", "--no-edit", commit)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def branches(self) -> list[str]:
        """Return the branches on the server beside main."""
        lines = self.git("ls-remote", "--heads", "origin").splitlines()
        return [name for name in (line.partition("refs/heads/")[2] for line in lines) if name != "main"]

    def message(self, branch: str) -> str:
        """Return the message of a branch's newest commit."""
        self.git("fetch", "--quiet", "origin", branch)
        return self.git("log", "-1", "--format=%B", "FETCH_HEAD")

    def git(self, *words: str) -> str:
        """Run Git, which must end well; return what it printed."""
        ended = subprocess.run(
            [binary_of("git", package="git"), *words],
            cwd=self.folder,
            env=os.environ | NOBODY | AUTHOR | self.server.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, f"git {' '.join(words)}: {ended.stderr}"
        return ended.stdout.strip()
