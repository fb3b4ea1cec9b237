"""Environments: which bundle each one serves, and how it came to that.

Promotion and rollback are one write of one small document. ``PointerTarget`` says where that document lives: a file in
the home on one machine, a file in the Git repository of a cluster.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

from components.bundles.digest import short
from components.contracts.durable import write_durably
from components.contracts.errors import PromotionError


@dataclass(frozen=True)
class Move:
    """One change of what an environment serves; ``at`` is ISO 8601."""

    action: Literal["promote", "rollback"]
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
    """Pointers as JSON files of a folder, one an environment."""

    folder: Path

    def environments(self) -> list[str]:
        """Names of the environments that have a pointer."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def read(self, environment: str) -> Pointer:
        """Return an environment's pointer."""
        path = self._path(environment)
        if not path.exists():
            return Pointer(environment)
        try:
            found = json.loads(path.read_bytes())
            return Pointer(environment, tuple(Move(**move) for move in found["moves"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise PromotionError(f"{path}: unreadable ({error}); restore it, or remove it and promote again") from error

    def write(self, pointer: Pointer, message: str) -> str:
        """Replace an environment's file at once."""
        path = self._path(pointer.environment)
        content = {"bundle": pointer.bundle, "why": message, **asdict(pointer)}
        write_durably(path, json.dumps(content, indent=1).encode())
        return str(path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold a lock on a file of its own, which, unlike a pointer's, no write replaces; it ends with its process."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise PromotionError(f"{self.folder}: cannot be locked ({error}); make it writable, then again") from error
        try:
            yield
        finally:
            os.close(descriptor)

    def _path(self, environment: str) -> Path:
        if not environment.replace("-", "").replace("_", "").isalnum():
            raise PromotionError(f"environment {environment!r}: expected letters, digits, - and _; name it differently")
        return self.folder / f"{environment}.json"


def write_pointer(target: PointerTarget, pointer: Pointer, move: Move) -> Pointer:
    """Make one move; this is the only way in which what an environment serves ever changes."""
    moved = Pointer(pointer.environment, (*pointer.moves, move))
    target.write(moved, f"{pointer.environment}: {move.action} {short(move.bundle)} (run {move.run_id})")
    return moved
