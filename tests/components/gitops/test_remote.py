"""The repository over HTTP and SSH, and every way in which a server can refuse."""

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from components.bundles.loading import Bundle
from components.contracts.errors import ConfigurationError, PromotionError
from components.gitops import settings as names
from components.gitops.remote import Author, OutrunError, Remote
from components.gitops.settings import repository_settings
from tests.components.gitops.bench import NOW, READER, TOKEN, Bench
from tests.git_server import Repository, SshServed, git_over_ssh
from tests.servers import free_port

pytestmark = pytest.mark.slow(seconds=6)

AUTHOR = Author("Rankloop <rankloop@localhost>", NOW)
BRANCH = "rankloop/staging/0123456789abcdef"


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[SshServed]:
    repository = Repository(tmp_path / "ssh.git")
    repository.create()
    with git_over_ssh(repository, tmp_path / "ssh") as served:
        yield served


def over_ssh(served: SshServed, **changes: str) -> Remote:
    """The repository as the account with the one key sees it."""
    variables = {
        names.URL: served.url,
        names.FORGE: "none",
        names.SSH_KEY_FILE: str(served.key_file),
        names.KNOWN_HOSTS_FILE: str(served.known_hosts_file),
    }
    settings = repository_settings(variables | changes)
    assert settings is not None
    return Remote(settings)


def check_pushes(remote: Remote) -> None:
    """Push a branch, be outrun, rebase, and delete it."""
    snapshot = remote.fetch("rankloop/")
    commit, objects = snapshot.with_files({"README.md": b"Another.\n"}, "Words", AUTHOR)
    assert len(objects) == 3  # the commit, its tree and the file: nothing else travels
    remote.push(BRANCH, None, commit, objects)
    with pytest.raises(OutrunError):
        remote.push(BRANCH, None, commit, objects)
    snapshot = remote.fetch("rankloop/", depth=2)
    assert snapshot.heads[BRANCH] == commit
    assert snapshot.fork(commit) == snapshot.tip
    assert snapshot.content(commit, "README.md") == b"Another.\n"
    remote.push(BRANCH, commit, None, [])
    assert BRANCH not in remote.fetch("rankloop/").heads


def test_a_branch_is_pushed_over_http(alone: Bench) -> None:
    check_pushes(alone.environments.remote)


def test_a_branch_is_pushed_over_ssh(ssh: SshServed) -> None:
    check_pushes(over_ssh(ssh))


def test_history_is_read_as_deep_as_is_needed(alone: Bench) -> None:
    alone.repository.commit({"README.md": "Another.\n"}, "Words", times=80)
    remote = alone.environments.remote
    assert [content for _, content in remote.history("README.md").contents] == [
        b"Deployment of a shop.\n",
        b"Another.\n",
    ]
    shallow = remote.history("README.md", lambda history: len(history.contents) > 0)
    assert (len(shallow.contents), shallow.whole) == (1, False)


def refused(bench: Bench, bundle: Bundle, message: str) -> None:
    """Check that a proposal is refused with one clear sentence that shows no secret, and leaves nothing behind."""
    with pytest.raises(PromotionError, match=message) as caught:
        bench.propose(bundle)
    shown = str(caught.value)
    assert "\n" not in shown
    assert TOKEN not in shown
    assert READER not in shown
    assert bench.repository.branches() == ["main"]


def test_refusals_of_the_server_name_their_fix(alone: Bench, bundles: list[Bundle], tmp_path: Path) -> None:
    bundle, token = bundles[0], tmp_path / "token"
    alone.repository.hook("echo 'Branches need a ticket in their name' >&2; exit 1")
    refused(
        alone, bundle, r"refused the branch rankloop/staging/\S+ \(pre-receive hook declined.*need a ticket.*rankloop/"
    )
    alone.repository.hook("exit 0")
    token.write_text("a-wrong-token")
    refused(alone, bundle, "the token of RANKLOOP_GIT_TOKEN_FILE was refused")
    token.write_text(READER)
    refused(
        alone,
        bundle,
        "this account may not push to it, as in a fork or .*; give the token of ",
    )
    token.write_text(TOKEN)
    url = alone.variables[names.URL]
    alone.variables[names.URL] = url.replace("deploy", "other")
    refused(alone, bundle, "found no repository, or one that this account may not see")
    alone.variables[names.URL] = url
    alone.variables[names.BRANCH] = "release"
    refused(alone, bundle, "found no branch 'release'; name it by RANKLOOP_GIT_BRANCH")


@pytest.mark.parametrize("part", ["/info/refs", "/git-upload-pack", "/git-receive-pack"])
def test_a_server_that_goes_down_in_the_middle_is_tried_again(alone: Bench, bundles: list[Bundle], part: str) -> None:
    alone.git.breaks = part
    refused(alone, bundles[0], "nothing was changed, try again")
    alone.git.breaks = None
    assert alone.propose(bundles[0]).proposed


def test_a_server_that_is_not_there_is_reported_with_its_address(alone: Bench, bundles: list[Bundle]) -> None:
    address = f"http://127.0.0.1:{free_port()}/shop/deploy.git"
    alone.variables[names.URL] = address
    refused(alone, bundles[0], f"{address}: cannot be reached")


def test_ssh_takes_no_other_host_and_no_other_key(ssh: SshServed, tmp_path: Path) -> None:
    port = ssh.url.rpartition(":")[2].partition("/")[0]
    (tmp_path / "empty").write_text("")
    (tmp_path / "other").write_text(
        f"[127.0.0.1]:{port} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKCrv2hXj4tSCZCbMrKDuoDOJeZrEPBfjcOQJ1sPGHtN\n"
    )
    for known in ("empty", "other"):
        with pytest.raises(PromotionError, match=r"known|not found"):
            over_ssh(ssh, **{names.KNOWN_HOSTS_FILE: str(tmp_path / known)}).fetch()
    (tmp_path / "keys").mkdir()
    repository = Repository(tmp_path / "second.git")
    repository.create()
    with git_over_ssh(repository, tmp_path / "keys") as other:
        remote = over_ssh(ssh, **{names.SSH_KEY_FILE: str(other.key_file)})
        with pytest.raises(PromotionError, match="the key of RANKLOOP_GIT_SSH_KEY_FILE was refused"):
            remote.fetch()
    for text in ("no key at all", ""):
        (tmp_path / "broken").write_text(text)
        with pytest.raises(ConfigurationError, match="holds no private key that can be used"):
            over_ssh(ssh, **{names.SSH_KEY_FILE: str(tmp_path / "broken")}).fetch()
    with pytest.raises(ConfigurationError, match="cannot be read; mount the secret there"):
        over_ssh(ssh, **{names.SSH_KEY_FILE: str(tmp_path / "gone")}).fetch()


def test_a_host_without_an_ssh_server_is_reported(ssh: SshServed) -> None:
    remote = over_ssh(ssh)
    away = replace(remote.settings, url=f"ssh://git@127.0.0.1:{free_port()}/shop/deploy.git")
    with pytest.raises(PromotionError, match=r"ssh://127\.0\.0\.1:\d+/shop/deploy\.git: (cannot be reached|no SSH)"):
        Remote(away).fetch()


def test_a_token_is_in_no_address_no_process_and_no_file(alone: Bench, bundles: list[Bundle], tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    seen: list[str] = []
    alone.git.before_push = lambda: seen.extend(processes())
    alone.propose(bundles[0])
    assert seen
    assert [line for line in seen + alone.git.lines if TOKEN in line] == []
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []


def processes() -> list[str]:
    """The command lines and environments of this process's children, as another user of the machine would look."""
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == os.getpid():
                    lines.append((folder / name).read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except (OSError, ValueError):
                continue
    return [*lines, threading.current_thread().name]
