"""Verifying a bundle on this machine, offline: its content, its signature, its provenance."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from components.bundles.digest import PREFIX, SHORT, digests_of, file_digests, sealed_files, short
from components.bundles.loading import Bundle, open_bundle
from components.bundles.manifest import PROVENANCE, SIDECAR, SIGNATURE
from components.bundles.sidecar import read_sidecar
from components.bundles.signing.keys import PublicKey
from components.bundles.signing.model_signature import check_signature
from components.bundles.signing.provenance import Provenance, check_provenance
from components.bundles.store import find_place, local_copy
from components.contracts.errors import BundleError, UnverifiedBundleError
from components.home.storage.locations import Location


@dataclass(frozen=True)
class Check:
    """One thing that was verified, and what came of it."""

    name: str
    passed: bool
    reason: str


@dataclass(frozen=True)
class Verification:
    """What came of verifying a bundle."""

    digest: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Return whether nothing is wrong."""
        return all(check.passed for check in self.checks)


def verify_published(models: Location, shop: str, reference: str, keys: Sequence[PublicKey]) -> Verification:
    """Verify signature, provenance and content of a published bundle, each on its own.

    Raises:
        BundleError: none, or more than one, is called that; or objects of it are gone or damaged.
    """
    place = find_place(models, shop, reference)
    folder = local_copy(place)
    digest = _full_digest(folder, place.name, reference)

    def signature() -> str:
        return f"signed with the key {verify_signature(folder, keys)}"

    def provenance() -> str:
        verified = verify_provenance(folder, digest, keys)
        return f"{verified}; signed with the key {verified.key}"

    def content() -> str:
        return f"{len(sealed_files(open_bundle(folder, digest).manifest))} files, which the digest names"

    checks = {"signature": signature, "provenance": provenance, "content": content}
    return Verification(digest, tuple(_check(name, verify) for name, verify in checks.items()))


def _full_digest(folder: Path, name: str, reference: str) -> str:
    """Return the digest that a bundle is called by: as the caller says, or as its sidecar does if it fits its name."""
    if reference.startswith(PREFIX) or len(reference) > SHORT:
        return PREFIX + reference.removeprefix(PREFIX)
    with suppress(BundleError):
        digest = read_sidecar(folder).digest
        if short(digest) == name:
            return digest
    return PREFIX + name


def verify_signature(folder: Path, keys: Sequence[PublicKey]) -> PublicKey:
    """Check that one of the keys has signed the files of a bundle, and return it.

    Raises:
        UnverifiedBundleError: none has, or another has, or the files are others.
    """
    with _named(folder / SIGNATURE):
        return check_signature(_content(folder / SIGNATURE), file_digests(folder), keys)


def verify_opened(bundle: Bundle, keys: Sequence[PublicKey]) -> None:
    """Check that one of the keys has signed the content of a bundle and its sidecar, as they were read.

    Raises:
        UnverifiedBundleError: none has, or another has, or what was read is something else.
    """
    with _named(bundle.folder / SIGNATURE):
        check_signature(_content(bundle.folder / SIGNATURE), digests_of(bundle.content), keys)
    with _named(bundle.folder / PROVENANCE):
        check_provenance(_content(bundle.folder / PROVENANCE), bundle.digest, bundle.sidecar_content, keys)


def verify_provenance(folder: Path, digest: str, keys: Sequence[PublicKey]) -> Provenance:
    """Check that one of the keys has signed a statement on a bundle and its sidecar, and return it.

    Raises:
        UnverifiedBundleError: none has, or another has, or it is about others.
    """
    with _named(folder / PROVENANCE):
        sidecar = _content(folder / SIDECAR)  # first: it is written last, and the provenance attests the old one too
        return check_provenance(_content(folder / PROVENANCE), digest, sidecar, keys)


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Put the file's name before a message, and what to do behind it."""
    try:
        yield
    except UnverifiedBundleError as error:
        raise UnverifiedBundleError(
            f"{file}: {error}; promote another bundle, or `rankloop run` signs it again"
        ) from error


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise UnverifiedBundleError("is missing, so nobody says who made the bundle") from error
    except OSError as error:
        raise UnverifiedBundleError(f"cannot be read ({error.strerror})") from error


def _check(name: str, verify: Callable[[], str]) -> Check:
    try:
        return Check(name, True, verify())
    except BundleError as error:
        return Check(name, False, str(error))
