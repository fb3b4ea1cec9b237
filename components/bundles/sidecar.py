"""The sidecar: what is known about a bundle and does not change its answers."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict
from typing_extensions import TypedDict

from components.bundles.manifest import SIDECAR
from components.contracts.errors import UnverifiedBundleError
from components.contracts.json_documents import closed, parse_json
from components.home.disk.durable import write_durably


class VerdictDocument(TypedDict, total=False):
    """The fields of a verdict that are read; all others are kept unchanged."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]  # a TypedDict holds keys, this is pydantic's way

    checks: list[dict[str, Any]]
    contenders: list[dict[str, Any]]


@closed
@dataclass(frozen=True)
class Sidecar:
    """The origin of a bundle and its verdict; times are ISO 8601."""

    digest: str
    run_id: str
    as_of: str
    train_end: str  # last moment of any label it was trained or tuned on
    versions: dict[str, int] = field(default_factory=dict)  # Delta versions of the clean tables
    training: dict[str, Any] = field(default_factory=dict)  # parameters, curve, gain importance
    code_revision: str | None = None
    published_at: str | None = None
    verdict: VerdictDocument | None = None  # None until it is published

    @property
    def promotable(self) -> bool:
        """Return whether the gate said that this bundle may go live."""
        return bool(self.verdict and self.verdict.get("promote") is True)


def sidecar_bytes(sidecar: Sidecar) -> bytes:
    """Return a sidecar as JSON."""
    return json.dumps(asdict(sidecar), indent=1, sort_keys=True).encode()


def write_sidecar(folder: Path, sidecar: Sidecar) -> None:
    """Write or replace a bundle's sidecar."""
    write_durably(folder / SIDECAR, sidecar_bytes(sidecar))


def read_sidecar(folder: Path) -> Sidecar:
    """Read a bundle's sidecar.

    Raises:
        UnverifiedBundleError: it is missing or unreadable, or holds what is no verdict.
    """
    return parse_sidecar(sidecar_content(folder), folder)


def sidecar_content(folder: Path) -> bytes:
    """Return the bytes of a bundle's sidecar.

    Raises:
        UnverifiedBundleError: it is missing or cannot be read.
    """
    try:
        return (folder / SIDECAR).read_bytes()
    except OSError as error:
        raise _unreadable(folder, error) from error


def parse_sidecar(content: bytes, folder: Path) -> Sidecar:
    """Read the sidecar of a bundle in a folder from its bytes.

    Raises:
        UnverifiedBundleError: it is unreadable, or holds what is no verdict.
    """
    try:
        return parse_json(Sidecar, content)
    except ValueError as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: Exception) -> UnverifiedBundleError:
    return UnverifiedBundleError(
        f"{folder / SIDECAR}: missing or unreadable ({error}); `rankloop run` puts the bundle back"
    )
