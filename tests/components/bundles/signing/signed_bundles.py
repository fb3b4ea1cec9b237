"""Small bundles, published and signed."""

from dataclasses import replace
from pathlib import Path

from components.bundles.loading import Bundle
from components.bundles.signing.keys import SigningKey, new_key, read_signing_key
from components.bundles.signing.origin import Origin
from components.bundles.signing.signer import Signer
from components.bundles.store import publish_folder
from components.home.storage.locations import Location
from tests.components.bundles.drafts import ranker_draft, written

ORIGIN = Origin(commit=40 * "c", lock=64 * "d", image=f"registry.example/rankloop@sha256:{64 * 'e'}")


def key_in(folder: Path, name: str = "key") -> SigningKey:
    """Make a key: ``<name>.pem``, and its public half ``<name>.pub``."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.pem"
    file.write_bytes(new_key())
    file.chmod(0o600)
    key = read_signing_key(file)
    file.with_suffix(".pub").write_bytes(key.public.pem)
    return key


def signed_bundle(
    models: Location, scratch: Path, key: SigningKey | None, run_id: str = "run-7", k: int = 10
) -> Bundle:
    """Publish a bundle that may be promoted, signed with a key."""
    draft = written(scratch, ranker_draft(k=k))
    verdict = {"promote": True, "checks": []}
    sidecar = replace(draft.sidecar, run_id=run_id, versions={"events": 3}, published_at="2024-06-03", verdict=verdict)
    return publish_folder(models, draft, sidecar, Signer(key, ORIGIN) if key else None)
