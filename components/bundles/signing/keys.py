"""Keys on elliptic curves, as PEM files that OpenSSL and the model-signing library read and write.

A key is named by the SHA-256 of its public half in PEM, as that library names it in a signature.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from components.contracts.errors import ConfigurationError

HASHES = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}  # by curve
IMAGE_CURVE = "secp256r1"
CURVES = "P-256, P-384 or P-521"
PUBLIC = ".pub"
PRIVATE_MARK, PUBLIC_MARK = b" PRIVATE KEY-----", b"-----BEGIN PUBLIC KEY-----"
SHOWN_DIGITS = 16
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class PublicKey:
    """A key that signatures are verified with; ``place`` is the file that it was read from."""

    key: ec.EllipticCurvePublicKey = field(repr=False)
    place: str

    @cached_property
    def id(self) -> str:
        """The key's name: 64 hex digits."""
        return hashlib.sha256(self.pem).hexdigest()

    @property
    def pem(self) -> bytes:
        """The key as a PEM file holds it."""
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Return whether a signature of a message was made with the private half."""
        try:
            self.key.verify(signature, message, _algorithm(self.key))
        except InvalidSignature:
            return False
        return True

    def __str__(self) -> str:
        return f"{shown(self.id)} ({self.place})"


@dataclass(frozen=True)
class SigningKey:
    """A private key, which signs."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    public: PublicKey

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message, in DER."""
        return self.key.sign(message, _algorithm(self.public.key))


def shown(key_id: str) -> str:
    """Return the first digits of a key's name, as people read it."""
    return key_id[:SHOWN_DIGITS]


def new_key() -> bytes:
    """Make a private key on P-256 and return it as PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_signing_key(file: Path) -> SigningKey:
    """Read a private key.

    Raises:
        ConfigurationError: the file cannot be read, or others may read it, or it holds no such key.
    """
    content = _content(file, "a private key")
    _check_private(file)
    if PUBLIC_MARK in content:
        _refuse(file, "a public key", "the private key that belongs to it, which signs")
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        _refuse(file, "a private key with a password", "one without: a run has nobody to ask for it")
    except (ValueError, UnsupportedAlgorithm):
        _refuse(file, "no private key in PEM", "one such as `openssl genpkey -algorithm EC` makes")
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        _refuse(file, f"a key of another kind ({type(key).__name__})", f"one on the curve {CURVES}")
    return SigningKey(key, _public(key.public_key(), file))


def read_public_key(file: Path) -> PublicKey:
    """Read a public key.

    Raises:
        ConfigurationError: the file cannot be read, or holds no such key, or a private one.
    """
    content = _content(file, "a public key")
    if PRIVATE_MARK in content:
        _refuse(
            file,
            "a private key",
            f"its public half alone (`openssl pkey -in {file.name} -pubout`), since a verifier must not sign",
        )
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        _refuse(file, "no public key in PEM", "one such as `openssl pkey -pubout` writes")
    if not isinstance(key, ec.EllipticCurvePublicKey):
        _refuse(file, f"a key of another kind ({type(key).__name__})", f"one on the curve {CURVES}")
    return _public(key, file)


def check_for_images(key: PublicKey) -> None:
    """Check that a key is of the one kind that all who verify images know: P-256 with SHA-256.

    Raises:
        ConfigurationError: it is another.
    """
    if key.key.curve.name != IMAGE_CURVE:
        _refuse(Path(key.place), f"a key on the curve {key.key.curve.name}", "one on P-256, to sign images with")


def parse_keys(text: str) -> tuple[Path, ...]:
    """Read places of public keys: folders or files, with commas between them; they become absolute."""
    return tuple(Path(place).expanduser().absolute() for place in re.split(r"\s*,\s*", text.strip()) if place)


def read_public_keys(places: Iterable[Path]) -> tuple[PublicKey, ...]:
    """Read public keys from files, and from the files ``*.pub`` of folders.

    Raises:
        ConfigurationError: a place holds none, or a file is none.
    """
    keys = []
    for place in places:
        files = sorted(place.glob(f"*{PUBLIC}")) if place.is_dir() else [place]
        if not files:
            raise ConfigurationError(f"{place}: found no public keys in this folder, expected files *{PUBLIC} in PEM")
        keys += [read_public_key(file) for file in files]
    return tuple(keys)


def _public(key: ec.EllipticCurvePublicKey, file: Path) -> PublicKey:
    if key.curve.name not in HASHES:
        _refuse(file, f"a key on the curve {key.curve.name}", f"one on {CURVES}")
    return PublicKey(key, str(file))


def _algorithm(key: ec.EllipticCurvePublicKey) -> ec.ECDSA:
    return ec.ECDSA(HASHES[key.curve.name])


def _content(file: Path, expected: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"{file}: cannot be read ({error.strerror}), expected {expected} in PEM; make it readable for this user"
        ) from error


def _check_private(file: Path) -> None:
    """Check a file of this user's as OpenSSH does; another's, as in a mounted Secret, nobody here can change."""
    status = file.stat()
    if status.st_uid == os.getuid() and status.st_mode & OTHERS:
        raise ConfigurationError(
            f"{file}: others may use this private key (mode {stat.S_IMODE(status.st_mode):04o}), expected 0600:"
            f" `chmod 600 {file}`; if somebody may have copied it, replace it"
        )


def _refuse(file: Path, found: str, expected: str) -> NoReturn:
    raise ConfigurationError(f"{file}: found {found}, expected {expected}")
