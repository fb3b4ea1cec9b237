"""The sidecar: what is known about a bundle and does not change its answers."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components.bundles.manifest import SIDECAR
from components.contracts.errors import BundleError
from components.home.durable import write_durably


@dataclass(frozen=True)
class Sidecar:
    """Where a bundle comes from and how it was judged; times are ISO 8601."""

    digest: str
    run_id: str
    as_of: str
    train_end: str  # last moment of any label it was trained or tuned on
    versions: dict[str, int] = field(default_factory=dict)  # Delta versions of the clean tables
    training: dict[str, Any] = field(default_factory=dict)  # parameters, curve, gain importance
    code_revision: str | None = None
    published_at: str | None = None
    verdict: dict[str, Any] | None = None  # None until it is published

    @property
    def promotable(self) -> bool:
        """Whether the gate said that this bundle may go live."""
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
        BundleError: it is missing or unreadable, or holds what is no verdict.
    """
    try:
        sidecar = Sidecar(**json.loads((folder / SIDECAR).read_bytes()))
        _check_verdict(sidecar.verdict)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise BundleError(
            f"{folder / SIDECAR}: missing or unreadable ({error}); `rankloop run` puts the bundle back"
        ) from error
    return sidecar


def _check_verdict(verdict: Any) -> None:
    """Check what is read of a verdict: an object, whose checks and contenders are lists of objects."""
    if verdict is None:
        return
    if not isinstance(verdict, dict):
        raise TypeError(f"verdict: found {verdict!r:.80}, expected an object or null")
    for name in ("checks", "contenders"):
        found = verdict.get(name, [])
        if not (isinstance(found, list) and all(isinstance(one, dict) for one in found)):
            raise TypeError(f"verdict.{name}: found {found!r:.80}, expected a list of objects")
