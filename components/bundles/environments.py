"""Environments: the bundle that each one serves, and the moves that led there.

Promotion and rollback are one change of one small document in the home. The environments of a cluster live in its Git
repository instead, where a change is proposed first: see ``components/gitops``.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Literal

from components.bundles.digest import short
from components.contracts.errors import PromotionError, RankloopError, is_out_of_space
from components.contracts.json_documents import closed, parse_json
from components.home.layout import NAME_ADVICE, is_environment_name
from components.home.storage.documents import list_names, read_document, update_document, write_document
from components.home.storage.locations import Location

COPY = ".copy"
Action = Literal["promote", "rollback"]


@closed
@dataclass(frozen=True)
class Move:
    """One change of the bundle that an environment serves; ``at`` is ISO 8601."""

    action: Action
    bundle: str
    run_id: str
    at: str


@dataclass(frozen=True)
class Pointer:
    """The bundle that an environment serves, as the moves that led there, oldest first."""

    environment: str
    moves: tuple[Move, ...] = ()

    @property
    def line(self) -> tuple[Move, ...]:
        """Return the promotions that are still standing: a rollback takes back the last one."""
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


@dataclass(frozen=True)
class PointerFiles:
    """Pointers as JSON documents, one an environment, each with a copy, ``.<environment>.json.copy``."""

    place: Location

    def environments(self) -> list[str]:
        """Return names of the environments that have a pointer."""
        return [name.removesuffix(".json") for name in list_names(self.place) if _is_pointer(name)]

    def read(self, environment: str) -> Pointer:
        """Return an environment's pointer.

        Raises:
            PromotionError: its document cannot be read, is no JSON, or holds no moves that can have been made one after
                the other.
            ConfigurationError, StorageError: the bucket cannot be used.
        """
        location = self._location(environment)
        return _pointer(location, environment, _content(location))

    def has(self, environment: str) -> bool:
        """Return whether an environment has a pointer.

        Raises:
            PromotionError: its folder cannot be looked at.
            ConfigurationError, StorageError: the bucket cannot be used.
        """
        return _content(self._location(environment)) is not None

    def move(self, environment: str, decide: Callable[[Pointer], Move | None]) -> Pointer:
        """Make the move that is decided on, unless it is None; return the pointer before it.

        Nobody else's move comes between the pointer that ``decide`` is given and the move. It may be called again with
        a newer pointer.

        Raises:
            PromotionError: the document cannot be read or changed.
            OSError: the disk is full.
            ConfigurationError, StorageError: the bucket cannot be used.
        """
        location = self._location(environment)
        before = self.read(environment)

        def moved(content: bytes | None) -> bytes:
            nonlocal before
            before = _pointer(location, environment, content)
            move = decide(before)
            return content if move is None and content is not None else _document(before, move)

        try:
            document = update_document(location, moved)
        except OSError as error:
            if is_out_of_space(error):
                raise
            raise PromotionError(f"{location}: cannot be changed ({error}); make it writable, then again") from error
        self._copy(environment, document)
        return before

    def copies(self) -> list[Pointer]:
        """Return the content of the readable copies."""
        pointers = []
        for name in list_names(self.place):
            environment = name.removeprefix(".").removesuffix(f".json{COPY}")
            if name == f".{environment}.json{COPY}":
                with suppress(PromotionError):
                    pointers.append(_pointer(self.place / name, environment, _content(self.place / name)))
        return pointers

    def restore(self, pointer: Pointer) -> None:
        """Write a pointer that was lost, unless somebody has moved it since.

        A document that is no pointer is kept as ``.<environment>.json.damaged``.
        """
        location = self._location(pointer.environment)
        before = _content(location)
        if before is not None and _is_lost(before):
            write_document(location.with_name(f".{location.name}.damaged"), before)
        restored = _json(pointer, f"{pointer.environment}: put back what was lost")
        document = update_document(location, lambda content: content if content and not _is_lost(content) else restored)
        self._copy(pointer.environment, document)

    def _copy(self, environment: str, document: bytes) -> None:
        with suppress(OSError, RankloopError):  # the move is made, whether or not it can be copied
            location = self._location(environment)
            write_document(location.with_name(f".{location.name}{COPY}"), document)

    def _location(self, environment: str) -> Location:
        if not is_environment_name(environment):
            raise PromotionError(f"environment {environment!r}: {NAME_ADVICE}")
        return self.place / f"{environment}.json"


def _content(location: Location) -> bytes | None:
    try:
        return read_document(location)
    except OSError as error:
        raise PromotionError(f"{location}: cannot be read ({error}); make it readable, then try again") from error


def _pointer(location: Location, environment: str, content: bytes | None) -> Pointer:
    try:
        return Pointer(environment, () if content is None else _moves(content))
    except ValueError as error:
        raise PromotionError(
            f"{location}: unreadable ({error}); `rankloop run` restores it from its copy, or from the last run"
        ) from error


def _is_lost(content: bytes) -> bool:
    """Say whether a document is none that a move or a restoration has written."""
    try:
        _moves(content)
    except ValueError:
        return True
    return False


def message_of(environment: str, move: Move) -> str:
    """Say in one line what a move did."""
    return f"{environment}: {move.action} {short(move.bundle)} (run {move.run_id})"


def _document(before: Pointer, move: Move | None) -> bytes:
    if move is None:
        return _json(before, f"{before.environment}: nothing was promoted")
    after = Pointer(before.environment, (*before.moves, move))
    return _json(after, message_of(after.environment, move))


def _json(pointer: Pointer, why: str) -> bytes:
    return json.dumps({"bundle": pointer.bundle, "why": why, **asdict(pointer)}, indent=1).encode()


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
    """The fields of a pointer's document that are read; the others are for people."""

    moves: tuple[Move, ...]
