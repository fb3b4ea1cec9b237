"""Environments: which bundle each one serves, and how it came to that.

Promotion and rollback are one write of one small document. ``PointerTarget`` says where that document lives: a file in
the home on one machine, a file in the Git repository of a cluster.
"""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

from components.bundles.digest import short
from components.contracts.errors import PromotionError
from components.contracts.json_documents import closed, parse_json
from components.home.disk.durable import write_durably
from components.home.disk.file_lock import FileLock
from components.home.disk.presence import content_of, names_in
from components.home.layout import NAME_ADVICE, is_environment_name

COPY = ".copy"
Action = Literal["promote", "rollback"]


@closed
@dataclass(frozen=True)
class Move:
    """One change of what an environment serves; ``at`` is ISO 8601."""

    action: Action
    bundle: str
    run_id: str
    at: str


@dataclass(frozen=True)
class Pointer:
    """What an environment serves, as the moves that led there, oldest first."""

    environment: str
    moves: tuple[Move, ...] = ()

    @property
    def line(self) -> tuple[Move, ...]:
        """The promotions that are still standing: a rollback takes back the last one."""
        standing: list[Move] = []
        for move in self.moves:
            if move.action == "promote":
                standing.append(move)
            else:
                standing.pop()
        return tuple(standing)

    @property
    def bundle(self) -> str | None:
        """Digest of the bundle that is served; None when nothing was promoted."""
        return self.line[-1].bundle if self.line else None


class PointerTarget(Protocol):
    """Where pointers are kept."""

    def read(self, environment: str) -> Pointer:
        """Return an environment's pointer; one without moves when nothing was promoted."""

    def write(self, pointer: Pointer, message: str) -> str:
        """Keep a pointer, with a message that says why; return where it is now (a path, a commit)."""

    def alone(self) -> AbstractContextManager[None]:
        """Wait until nobody else moves a pointer, and keep others waiting: a move reads, decides and writes."""


@dataclass(frozen=True)
class PointerFiles:
    """Pointers as JSON files of a folder, one an environment, each with a copy, ``.<environment>.json.copy``."""

    folder: Path

    def environments(self) -> list[str]:
        """Names of the environments that have a pointer."""
        return [name.removesuffix(".json") for name in names_in(self.folder) if _is_pointer(name)]

    def read(self, environment: str) -> Pointer:
        """Return an environment's pointer.

        Raises:
            PromotionError: its file cannot be read, is no JSON, or holds no moves that can have been made one after
                the other.
        """
        path = self._path(environment)
        content = _content(path)
        return Pointer(environment) if content is None else _pointer(path, environment, content)

    def has(self, environment: str) -> bool:
        """Say whether an environment has a file.

        Raises:
            PromotionError: its folder cannot be looked at.
        """
        return _content(self._path(environment)) is not None

    def write(self, pointer: Pointer, message: str) -> str:
        """Replace an environment's file at once, and then its copy."""
        path = self._path(pointer.environment)
        content = {"bundle": pointer.bundle, "why": message, **asdict(pointer)}
        written = json.dumps(content, indent=1).encode()
        write_durably(path, written)
        with suppress(OSError):  # the move is made, whether or not it can be copied
            write_durably(path.with_name(f".{path.name}{COPY}"), written)
        return str(path)

    def copies(self) -> list[Pointer]:
        """Return what the copies that can be read say."""
        pointers = []
        for path in sorted(self.folder.glob(f".*.json{COPY}")):
            with suppress(PromotionError, OSError):
                environment = path.name.removeprefix(".").removesuffix(f".json{COPY}")
                pointers.append(_pointer(path, environment, path.read_bytes()))
        return pointers

    def restore(self, pointer: Pointer) -> None:
        """Write a pointer whose file was lost; one that cannot be read is kept as ``.<environment>.json.damaged``."""
        path = self._path(pointer.environment)
        if path.exists():
            path.replace(path.with_name(f".{path.name}.damaged"))
        self.write(pointer, f"{pointer.environment}: put back what was lost")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold a lock on a file of its own, which, unlike a pointer's, no write replaces; it ends with its process."""
        with ExitStack() as stack:
            try:
                stack.enter_context(FileLock(self.folder / ".lock").held())
            except OSError as error:
                raise PromotionError(
                    f"{self.folder}: cannot be locked ({error}); make it writable, then again"
                ) from error
            yield

    def _path(self, environment: str) -> Path:
        if not is_environment_name(environment):
            raise PromotionError(f"environment {environment!r}: {NAME_ADVICE}")
        return self.folder / f"{environment}.json"


def _content(path: Path) -> bytes | None:
    try:
        return content_of(path)
    except OSError as error:
        raise PromotionError(f"{path}: cannot be read ({error}); make it readable, then try again") from error


def _pointer(path: Path, environment: str, content: bytes) -> Pointer:
    try:
        return Pointer(environment, _moves(content))
    except ValueError as error:
        raise PromotionError(
            f"{path}: unreadable ({error}); `rankloop run` restores it from its copy, or from the last run"
        ) from error


def write_pointer(target: PointerTarget, pointer: Pointer, move: Move) -> Pointer:
    """Make one move; this is the only way in which what an environment serves ever changes."""
    moved = Pointer(pointer.environment, (*pointer.moves, move))
    target.write(moved, f"{pointer.environment}: {move.action} {short(move.bundle)} (run {move.run_id})")
    return moved


def _is_pointer(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")


def _moves(content: bytes) -> tuple[Move, ...]:
    """Return the moves of a document.

    Raises:
        ValueError: they are no moves, or one goes back to nothing.
    """
    moves = parse_json(_Moves, content).moves
    standing = 0
    for number, move in enumerate(moves, start=1):
        standing += 1 if move.action == "promote" else -1
        if standing < 1:
            raise ValueError(f"move {number}: found a rollback, and no earlier promotion to go back to")
    return moves


@dataclass(frozen=True)
class _Moves:
    """What is read of a pointer's document; the rest of it is for people."""

    moves: tuple[Move, ...]
