"""The repository on its server: what a branch holds, and pushes that replace nothing they have not seen.

All of it happens in the memory of this process, so there is no clone to leave behind, no ``.git/config`` that could
keep a credential, and no other process that could show one.
"""

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import dulwich.errors
import paramiko
import urllib3.exceptions
from dulwich.client import (
    GitClient,
    HttpGitClient,
    HTTPProxyUnauthorized,
    HTTPUnauthorized,
    SSHGitClient,
    default_urllib3_manager,
)
from dulwich.config import ConfigDict
from dulwich.diff_tree import tree_changes
from dulwich.graph import find_merge_base
from dulwich.object_store import commit_tree_changes, tree_lookup_path
from dulwich.objects import ZERO_SHA, Blob, Commit, ObjectID, ShaFile, Tree
from dulwich.pack import pack_objects_to_data
from dulwich.repo import MemoryRepo

from components.contracts.errors import PromotionError
from components.contracts.urls import public_url, without_users
from components.gitops.settings import BRANCH, CA_FILE, SSH_KEY_FILE, TOKEN_FILE, URL, USER, GitSettings
from components.gitops.ssh import KnownHostsVendor

SECONDS = 60.0  # without an answer
HEADS = b"refs/heads/"
# What servers say of a reference that has moved since it was read; all other refusals are somebody's decision.
RACES = ("failed to update", "cannot lock", "already exists", "fetch first", "non-fast-forward", "stale", "is at ")


class OutrunError(PromotionError):
    """A branch was pushed by somebody else since it was read."""


@dataclass(frozen=True)
class Author:
    """Who commits, and when (a moment with a zone)."""

    identity: str
    at: datetime


class Snapshot:
    """Branches as they were fetched; commits that are older than the depth of the fetch are not there."""

    def __init__(self, repository: MemoryRepo, heads: Mapping[str, bytes], branch: str) -> None:
        self._repository, self.heads, self.tip = repository, heads, heads[branch]

    def content(self, commit: bytes, path: str) -> bytes | None:
        """Return the content of a file at a commit; None where there is none."""
        entry = self._entry(commit, path)
        return None if entry is None else self._blob(entry[1])

    def files(self, commit: bytes, folder: str) -> dict[str, bytes]:
        """Return the files below a folder at a commit, by path."""
        entry = self._entry(commit, folder)
        if entry is None or not isinstance(self._repository[entry[1]], Tree):
            return {}
        below = self._repository.object_store.iter_tree_contents(entry[1])
        return {f"{folder}/{each.path.decode(errors='surrogateescape')}": self._blob(each.sha) for each in below}

    def folders(self, commit: bytes, folder: str) -> list[str]:
        """Return the names of the folders in a folder at a commit."""
        entry = self._entry(commit, folder)
        tree = None if entry is None else self._repository[entry[1]]
        names = [item.path for item in tree.items()] if isinstance(tree, Tree) else []
        return [name.decode(errors="surrogateescape") for name in names]

    def same(self, one: bytes, other: bytes, path: str) -> bool:
        """Return whether a file is the same at two commits."""
        return self._entry(one, path) == self._entry(other, path)

    def changes_only(self, commit: bytes, parent: bytes, paths: Iterable[str]) -> bool:
        """Return whether a commit lies right on another, and changes the content of these files and nothing else."""
        made, before = self._commit(commit), self._commit(parent)
        if made is None or before is None or made.parents != [parent]:
            return False
        changes = list(tree_changes(self._repository.object_store, before.tree, made.tree))
        if not all(change.old and change.new and change.old.mode == change.new.mode for change in changes):
            return False
        return {change.new.path for change in changes if change.new} == {_name(path) for path in paths}

    def fork(self, head: bytes) -> bytes | None:
        """Return the commit of the branch that another branch left it at; None if it lies deeper than was fetched."""
        try:
            bases = find_merge_base(self._repository, [self.tip, head])  # type: ignore[list-item]
        except KeyError:
            return None
        return bases[0] if bases else None

    def changes(self, path: str) -> "History":
        """Return the contents that a file has had on the branch, by its first parents."""
        moments: list[tuple[datetime, bytes | None]] = []
        commit, parent = self._commit(self.tip), None
        while commit is not None:
            parent = self._commit(commit.parents[0]) if commit.parents else None
            if parent is None or not self.same(commit.id, parent.id, path):
                moments.append((_moment(commit), self.content(commit.id, path)))
            if parent is None:
                return History(tuple(reversed(moments)), whole=not commit.parents)
            commit = parent
        return History((), whole=True)

    def message(self, commit: bytes) -> str:
        """Return the message of a commit."""
        made = self._commit(commit)
        return made.message.decode(errors="replace") if made else ""

    def last_change(self, path: str) -> bytes | None:
        """Return the commit that gave a file its content on the branch; None if it lies deeper than was fetched."""
        commit = self._commit(self.tip)
        while commit is not None and commit.parents:
            parent = self._commit(commit.parents[0])
            if parent is None:
                return None
            if not self.same(commit.id, parent.id, path):
                return commit.id
            commit = parent
        return None if commit is None else commit.id

    def with_files(
        self, files: Mapping[str, bytes | None], message: str, author: Author
    ) -> tuple[bytes, list[ShaFile]]:
        """Make a commit on the branch that changes the content of files, or deletes them (None).

        Return it and all objects that are new.
        """
        return self.commit(self.tip, files, message, author)

    def commit(
        self, parent: bytes | None, files: Mapping[str, bytes | None], message: str, author: Author
    ) -> tuple[bytes, list[ShaFile]]:
        """Make a commit as ``with_files`` does, on another one, or as the first of a branch (None)."""
        store, before = self._repository.object_store, set(self._repository.object_store)
        commit = Commit()
        commit.tree = commit_tree_changes(store, self._tree(parent), self._changes(parent, files))
        commit.parents = [] if parent is None else [parent]  # type: ignore[list-item]
        commit.author = commit.committer = author.identity.encode()
        commit.author_time = commit.commit_time = int(author.at.timestamp())
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding, commit.message = b"UTF-8", message.encode()
        store.add_object(commit)
        return commit.id, [store[name] for name in set(store) - before]

    def _tree(self, commit: bytes | None) -> ObjectID:
        if commit is None:
            empty = Tree()
            self._repository.object_store.add_object(empty)
            return empty.id
        made = self._repository[commit]
        assert isinstance(made, Commit)
        return made.tree

    def _changes(
        self, parent: bytes | None, files: Mapping[str, bytes | None]
    ) -> list[tuple[bytes, int | None, ObjectID | None]]:
        changes: list[tuple[bytes, int | None, ObjectID | None]] = []
        for path, content in files.items():
            if content is None:
                changes.append((_name(path), None, None))
                continue
            entry = None if parent is None else self._entry(parent, path)
            blob = Blob.from_string(content)
            self._repository.object_store.add_object(blob)
            changes.append((_name(path), entry[0] if entry else 0o100644, blob.id))
        return changes

    def _entry(self, commit: bytes, path: str) -> tuple[int, ObjectID] | None:
        made = self._repository[commit]
        assert isinstance(made, Commit)
        try:
            return tree_lookup_path(self._repository.object_store.__getitem__, made.tree, _name(path))
        except (KeyError, dulwich.errors.NotTreeError):
            return None

    def _blob(self, name: bytes) -> bytes:
        return self._repository[name].as_raw_string()

    def _commit(self, name: bytes) -> Commit | None:
        """Return a commit; None if it lies deeper than was fetched."""
        try:
            made = self._repository[name]
        except KeyError:
            return None
        return made if isinstance(made, Commit) else None


@dataclass(frozen=True)
class History:
    """The contents that a file has had, each with the moment it came onto the branch, oldest first.

    ``whole``: back to the first commit, and not only as far as was fetched.
    """

    contents: tuple[tuple[datetime, bytes | None], ...]
    whole: bool


@dataclass(frozen=True)
class Remote:
    """The server of the repository."""

    settings: GitSettings

    def fetch(self, prefix: str = "", depth: int | None = 1) -> Snapshot:
        """Fetch the branch, and those whose names begin with ``prefix``, to a depth (None: all of their history).

        Raises:
            PromotionError: the server cannot be reached or refuses, or there is no such branch.
            ConfigurationError: a credential cannot be read.
        """
        branch, wanted = HEADS + self.settings.branch.encode(), HEADS + prefix.encode()
        heads: dict[str, bytes] = {}

        def wants(references: Mapping[bytes, bytes], depth: int | None = None) -> list[bytes]:
            for name, commit in references.items():
                if name == branch or (prefix and name.startswith(wanted)):
                    heads[name.removeprefix(HEADS).decode(errors="surrogateescape")] = commit
            return sorted(set(heads.values()))

        repository = MemoryRepo()
        prefixes = [branch, wanted] if prefix else [branch]
        with self._client() as (client, path), self._translated("read"):
            client.fetch(path, repository, wants, depth=depth, ref_prefix=prefixes)  # type: ignore[arg-type]
        if self.settings.branch not in heads:
            raise PromotionError(
                f"{public_url(self.settings.url)}: found no branch {self.settings.branch!r}; name it by {BRANCH}"
            )
        return Snapshot(repository, heads, self.settings.branch)

    def heads(self, prefix: str) -> dict[bytes, bytes]:
        """Return the commits of the branch, and of those whose names begin with ``prefix``, without fetching any.

        Raises:
            PromotionError, ConfigurationError: as ``fetch``.
        """
        wanted = (HEADS + self.settings.branch.encode(), HEADS + prefix.encode())
        with self._client() as (client, path), self._translated("read"):
            refs = client.get_refs(path, ref_prefix=list(wanted)).refs  # type: ignore[arg-type]
        return {name: head for name, head in refs.items() if head and (name == wanted[0] or name.startswith(wanted[1]))}

    def history(self, path: str, enough: Callable[[History], bool] | None = None) -> History:
        """Return the contents that a file has had: all, or as far back as is ``enough``.

        Raises:
            PromotionError, ConfigurationError: as ``fetch``.
        """
        for depth in () if enough is None else (64, 1024):
            history = self.fetch(depth=depth).changes(path)
            if history.whole or enough is None or enough(history):
                return history
        return self.fetch(depth=None).changes(path)

    def push(self, branch: str, before: bytes | None, after: bytes | None, objects: list[ShaFile]) -> None:
        """Make a branch point at a commit (None: delete it), if it still points at ``before`` (None: does not exist).

        Raises:
            OutrunError: somebody else has pushed it.
            PromotionError: the server cannot be reached or refuses.
            ConfigurationError: a credential cannot be read.
        """
        name = HEADS + branch.encode()
        words: list[bytes] = []

        def update(references: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
            if references.get(name) != before:
                raise OutrunError(f"{branch}: somebody else has pushed it")
            return {name: after or ZERO_SHA}

        with self._client() as (client, path), self._translated("push"):
            result = client.send_pack(
                path,  # type: ignore[arg-type]
                update,  # type: ignore[arg-type]
                lambda *_, **__: pack_objects_to_data(objects),
                progress=words.append,
            )
        refusal = (result.ref_status or {}).get(name)
        if refusal:
            raise self._refused(branch, refusal, b"".join(words).decode(errors="replace"))

    def _refused(self, branch: str, refusal: str, words: str) -> PromotionError:
        if any(race in refusal for race in RACES):
            return OutrunError(f"{branch}: {refusal}")
        said = " ".join(words.split())[:400]
        return PromotionError(
            f"{public_url(self.settings.url)}: the server refused the branch {branch} ({refusal}{': ' if said else ''}"
            f"{said}); let this account push branches that begin with rankloop/"
        )

    @contextmanager
    def _client(self) -> Iterator[tuple[GitClient, str]]:
        client, path = self._ssh() if self.settings.is_ssh else self._http()
        try:
            yield client, path
        finally:
            client.close()

    def _ssh(self) -> tuple[GitClient, str]:
        parts, settings = urlsplit(self.settings.url), self.settings
        assert settings.ssh_key_file is not None
        assert settings.known_hosts_file is not None
        vendor = KnownHostsVendor(settings.ssh_key_file, settings.known_hosts_file)
        return SSHGitClient(parts.hostname or "", parts.port, parts.username, vendor=vendor), parts.path

    def _http(self) -> tuple[GitClient, str]:
        token = self.settings.token()
        user = None if token is None else self.settings.user
        config = ConfigDict()
        if self.settings.ca_file is not None:
            config.set((b"http",), b"sslCAInfo", str(self.settings.ca_file).encode())
        url = self.settings.url
        pool: Any = _Answers(default_urllib3_manager(config, base_url=url, timeout=SECONDS))
        return _HttpClient(url, pool_manager=pool, username=user, password=token, timeout=SECONDS), ""

    @contextmanager
    def _translated(self, act: str) -> Iterator[None]:
        """Turn what the libraries raise into one sentence with the fix."""
        try:
            yield
        except PromotionError:
            raise
        except tuple(_FIXES) as error:
            fix = next(fix for kind, fix in _FIXES.items() if isinstance(error, kind))
            raise PromotionError(f"{public_url(self.settings.url)}: {fix(error, act)}") from error


class _Answers:
    """A pool of connections that remembers its answers: those that were refused are left open by dulwich."""

    def __init__(self, manager: Any) -> None:
        self._manager, self.headers = manager, manager.headers
        self._open: list[Any] = []

    def request(self, method: str, url: str, **options: Any) -> Any:
        answer = self._manager.request(method, url, **options)
        self._open.append(answer)
        return answer

    def close(self) -> None:
        for answer in self._open:
            answer.close()
        self._manager.clear()


class _HttpClient(HttpGitClient):
    """A client that closes its connections."""

    def close(self) -> None:
        self.pool_manager.close()  # type: ignore[union-attr]
        super().close()


def _http_failure(error: Any, act: str) -> str:
    said = without_users(str(error))
    if "http resp 403" in said:
        right = "read it" if act == "read" else "push to it, as in a fork or with a token that only reads"
        return (
            f"this account may not {right}; give the token of {TOKEN_FILE} that right, or name your repository by {URL}"
        )
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return f"this machine does not trust who signed its certificate; name the authority's file by {CA_FILE}"
    if isinstance(error.__cause__, urllib3.exceptions.HTTPError) or "http resp 5" in said:
        return f"cannot be reached now ({_first_words(said)}); nothing was changed, try again"
    return f"the server does not take part ({_first_words(said)}); look at its log, or try again"


def _first_words(said: str) -> str:
    return " ".join(said.split())[:200]


_AGAIN = "nothing was changed, try again"
_FIXES: dict[type[Exception], Callable[[Any, str], str]] = {
    HTTPUnauthorized: lambda error, act: f"the token of {TOKEN_FILE} was refused for {USER}; make another",
    HTTPProxyUnauthorized: lambda error, act: "the proxy asks for a password; name one in HTTPS_PROXY",
    dulwich.errors.NotGitRepository: lambda error, act: (
        f"found no repository, or one that this account may not see; correct {URL}, or the rights of {TOKEN_FILE}"
    ),
    dulwich.errors.HangupException: lambda error, act: f"the connection was cut ({_hangup(error)}); {_AGAIN}",
    dulwich.errors.SendPackError: lambda error, act: f"the server could not store the commit ({error}); {_AGAIN}",
    dulwich.errors.GitProtocolError: _http_failure,
    paramiko.BadHostKeyException: lambda error, act: (
        "the server shows another key than the known one: if it was changed on purpose, put the new one into the file"
    ),
    paramiko.AuthenticationException: lambda error, act: (
        f"the key of {SSH_KEY_FILE} was refused; add its public half to the account, with the right to write"
    ),
    paramiko.SSHException: lambda error, act: f"no SSH connection ({_first_words(str(error))}); {_AGAIN}",
    socket.gaierror: lambda error, act: f"its host is not known; correct {URL}",
    OSError: lambda error, act: f"cannot be reached ({error}); {_AGAIN}",
    EOFError: lambda error, act: f"the connection was cut; {_AGAIN}",
    urllib3.exceptions.HTTPError: lambda error, act: f"cannot be reached ({_first_words(str(error))}); {_AGAIN}",
    AssertionError: lambda error, act: f"the server's answer is not understood; {_AGAIN}",
    KeyError: lambda error, act: f"the server's answer lacks an object; {_AGAIN}",
}


def _hangup(error: dulwich.errors.HangupException) -> str:
    lines = b" ".join(getattr(error, "stderr_lines", None) or [])
    return _first_words(lines.decode(errors="replace")) or "without a word"


def _name(path: str) -> bytes:
    return path.encode(errors="surrogateescape")


def _moment(commit: Commit) -> datetime:
    return datetime.fromtimestamp(commit.commit_time, UTC)
