"""The key that a home's bundles are signed with: a mounted one, or a folder's own, made when it is first needed.

::

    keys/signing.pem             the private key, for its owner alone
    keys/<name>.pub              public halves of the keys that signed here; remove one to accept its bundles no longer
    keys/published_before.json   the bundles that were published before there was a key, and are not signed; written
                                 with the first key, it marks a home that signs, also after keys are removed

Move ``signing.pem`` away, and the next publication makes another.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from components.bundles.signing.keys import (
    PUBLIC,
    PublicKey,
    SigningKey,
    new_key,
    parse_keys,
    read_public_keys,
    read_signing_key,
    shown,
)
from components.bundles.signing.origin import origin_of_code
from components.bundles.signing.signer import Signer
from components.bundles.store import published_names
from components.contracts.errors import ConfigurationError
from components.home.disk.durable import write_durably
from components.home.layout import Home

KEY_VARIABLE = "RANKLOOP_SIGNING_KEY"
KEYS_VARIABLE = "RANKLOOP_VERIFY_KEYS"
PRIVATE = "signing.pem"
PUBLISHED_BEFORE = "published_before.json"
OWNER_ONLY, OWNER_ONLY_FOLDER = 0o600, 0o700


def bundle_signer(home: Home, shop: str, variables: Mapping[str, str]) -> Signer | None:
    """Return who signs the bundles of a home; None for a bucket whose runs are given no key.

    Raises:
        ConfigurationError: the key cannot be read or made, or is none of those that bundles are verified with.
    """
    key = signing_key(home, variables, published_names(home.models, shop))
    if key is None:
        return None
    check_accepted(key, variables)
    return Signer(key, origin_of_code(variables))


def check_accepted(key: SigningKey, variables: Mapping[str, str]) -> None:
    """Check that a key is one of those that are named to verify with, if any are: one that expired is not.

    Raises:
        ConfigurationError: it is not.
    """
    accepted = read_public_keys(parse_keys(variables.get(KEYS_VARIABLE, "")))
    if accepted and key.public.id not in {each.id for each in accepted}:
        raise ConfigurationError(
            f"{key.public.place}: the key {shown(key.public.id)} is none of those in {KEYS_VARIABLE}, so nobody would"
            " accept what it signs; sign with the key that took its place, or name its public half there"
        )


def can_sign(home: Home, variables: Mapping[str, str]) -> bool:
    """Return whether a run on a home has a key, or makes one."""
    return home.keys is not None or bool(variables.get(KEY_VARIABLE))


def signing_key(home: Home, variables: Mapping[str, str], unsigned: Iterable[str] = ()) -> SigningKey | None:
    """Return the key of ``RANKLOOP_SIGNING_KEY``, or a folder's own; None for a bucket without one.

    ``unsigned`` are the names of the bundles that the home holds, should this be its first key.

    Raises:
        ConfigurationError: the key cannot be read or made.
    """
    mounted = variables.get(KEY_VARIABLE)
    if home.keys is None:
        return read_signing_key(Path(mounted)) if mounted else None
    try:
        return _noted_key(home.keys, Path(mounted) if mounted else home.keys / PRIVATE, sorted(unsigned))
    except OSError as error:
        raise ConfigurationError(f"{home.keys}: cannot be written ({error}); make it writable, then again") from error


def own_public_keys(home: Home) -> tuple[PublicKey, ...]:
    """Return the public keys that a folder home keeps; none where nothing was signed yet, nor for a bucket.

    Raises:
        ConfigurationError: one cannot be read.
    """
    if home.keys is None or not any(home.keys.glob(f"*{PUBLIC}")):
        return ()
    return read_public_keys([home.keys])


def published_before_signing(home: Home) -> frozenset[str] | None:
    """Return the names of the bundles that were published before the home had a key; None if it never had one."""
    try:
        if home.keys is None or not _has_had_a_key(home.keys):
            return None
        return frozenset(json.loads((home.keys / PUBLISHED_BEFORE).read_text()))
    except (OSError, ValueError):
        return frozenset()


def _has_had_a_key(folder: Path) -> bool:
    return (folder / PUBLISHED_BEFORE).exists() or any(folder.glob(f"*{PUBLIC}"))


def _noted_key(folder: Path, file: Path, unsigned: list[str]) -> SigningKey:
    """Read a key, making it if it is the home's own; keep its public half."""
    folder.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
    if not _has_had_a_key(folder):
        write_durably(folder / PUBLISHED_BEFORE, json.dumps(unsigned, indent=1).encode())
    if file == folder / PRIVATE and not file.exists():
        write_durably(file, new_key(), OWNER_ONLY)
    key = read_signing_key(file)
    public = folder / f"{shown(key.public.id)}{PUBLIC}"
    if not public.exists():
        write_durably(public, key.public.pem)
    return key
