"""Promotion and rollback of published bundles."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.bundles.digest import short
from components.bundles.environments import Move, Pointer, PointerFiles
from components.bundles.loading import Bundle, load_ranker
from components.bundles.store import LATEST, find_bundle, published_names
from components.contracts.errors import BundleError, PromotionError
from components.home.layout import Home

if TYPE_CHECKING:
    from components.bundles.signing.trust import Trust  # loads the cryptography


@dataclass(frozen=True)
class PointerChange:
    """The result of a promotion or rollback: what the environment served before and serves now.

    A pull request moves nothing: it is ``proposed``, the digest that the environment is to serve, at a ``link``.
    ``repository`` is where the environment lives; None: in the home.
    """

    environment: str
    before: str | None
    after: str | None
    moved: bool
    reason: str
    proposed: str | None = None
    link: str | None = None
    repository: str | None = None


def promote(
    home: Home, shop: str, reference: str, environment: str, now: str, trust: "Trust | None" = None
) -> PointerChange:
    """Make an environment serve a published bundle (``now`` is ISO 8601) that ``trust`` accepts, if it is given.

    Raises:
        PromotionError: the gate refused the bundle.
        BundleError: it is missing, its parts disagree or it was tampered with; its signature is missing or foreign.
    """
    bundle = promotable_bundle(home, shop, reference, trust)

    def to_bundle(pointer: Pointer) -> Move | None:
        is_served = pointer.bundle == bundle.digest
        return None if is_served else Move("promote", bundle.digest, bundle.sidecar.run_id, now)

    pointer = PointerFiles(home.environments).move(environment, to_bundle)
    if pointer.bundle == bundle.digest:
        reason = f"{environment} already serves {short(bundle.digest)}; nothing to change"
        return PointerChange(environment, pointer.bundle, bundle.digest, False, reason)
    reason = f"{environment} now serves {short(bundle.digest)} of run {bundle.sidecar.run_id}{_instead_of(pointer)}"
    return PointerChange(environment, pointer.bundle, bundle.digest, True, reason)


def rollback(home: Home, shop: str, environment: str, now: str, trust: "Trust | None" = None) -> PointerChange:
    """Make an environment serve the bundle that it served before its last promotion.

    Raises:
        PromotionError: there is nothing to go back to.
        BundleError: the earlier bundle is missing or was tampered with, or ``trust`` does not accept it.
    """

    def to_earlier(pointer: Pointer) -> Move:
        earlier = earlier_move(pointer)
        bundle = find_bundle(home.models, shop, earlier.bundle)
        if trust is not None:
            trust.check(bundle)
        load_ranker(bundle)
        return Move("rollback", earlier.bundle, earlier.run_id, now)

    pointer = PointerFiles(home.environments).move(environment, to_earlier)
    earlier = earlier_move(pointer)
    reason = f"{environment} serves {short(earlier.bundle)} of run {earlier.run_id} again{_instead_of(pointer)}"
    return PointerChange(environment, pointer.bundle, earlier.bundle, True, reason)


def promotable_bundle(home: Home, shop: str, reference: str, trust: "Trust | None" = None) -> Bundle:
    """Open a published bundle that may go live.

    Raises:
        PromotionError: the gate refused the bundle.
        BundleError: it is missing, its parts disagree or it was tampered with; its signature is missing or foreign.
    """
    bundle = find_bundle(home.models, shop, reference)
    check_promotable(bundle)
    if trust is not None:
        trust.check(bundle)
    load_ranker(bundle)
    return bundle


def named_bundle(home: Home, shop: str, name: str, environment: str = "local") -> Bundle:
    """Open a bundle by its name: ``champion`` (promoted), ``challenger`` (published last) or a digest.

    Raises:
        BundleError: there is no such bundle.
    """
    if name == "challenger":
        return find_bundle(home.models, shop, LATEST)
    if name != "champion":
        return find_bundle(home.models, shop, name)
    promoted = PointerFiles(home.environments).read(environment).bundle
    if promoted is None:
        advice = "`rankloop run` makes a bundle"
        if published_names(home.models, shop):
            advice = "the last run's report says why; `rankloop recommend --bundle challenger` ranks with its bundle"
        raise BundleError(f"{environment}: nothing was promoted yet; {advice}")
    return find_bundle(home.models, shop, promoted)


def check_promotable(bundle: Bundle) -> None:
    """Check that the gate let a bundle through.

    Raises:
        PromotionError: it did not, or was never asked.
    """
    if bundle.sidecar.promotable:
        return
    verdict = bundle.sidecar.verdict
    failed = [check["reason"] for check in (verdict or {}).get("checks", []) if not check["passed"]]
    why = "; ".join(failed) or "there is no verdict on it"
    raise PromotionError(
        f"bundle {short(bundle.digest)}: the gate refused it ({why}); expected a verdict that says promote:"
        " promote another bundle, or train again"
    )


def earlier_move(pointer: Pointer) -> Move:
    """Return the promotion that a rollback goes back to.

    Raises:
        PromotionError: there is none.
    """
    if len(pointer.line) < 2:
        known = f"only {short(pointer.bundle)}" if pointer.bundle else "nothing"
        raise PromotionError(
            f"{pointer.environment}: found {known} promoted, so there is no earlier bundle to go back to"
        )
    return pointer.line[-2]


def _instead_of(pointer: Pointer) -> str:
    return f" instead of {short(pointer.bundle)}" if pointer.bundle else ""
