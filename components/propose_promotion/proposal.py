"""Propose a promotion: on one machine the home's pointer moves; nothing moves for a verdict that is not "promote"."""

from collections.abc import Callable
from dataclasses import asdict

from components.bundles.digest import short
from components.bundles.environments import Pointer, PointerFiles, PointerTarget
from components.bundles.promotion import promote
from components.bundles.signing.trust import Trust
from components.contracts.errors import PromotionError
from components.contracts.handles import Handle
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import PromotionFacts
from components.contracts.verdict import Verdict, read_verdict
from components.home.handed import handed_document
from components.home.layout import Home
from components.shop.settings import Shop


def propose_promotion(
    shop: Shop,
    home: Home,
    evaluation: Handle,
    bundle: Handle,
    environment: str,
    now: str,
    say: Callable[[str], None],
    target: PointerTarget | None = None,
    trust: Trust | None = None,
) -> StepResult[PromotionFacts]:
    """Promote a published bundle if its verdict says so; otherwise change nothing and say why.

    ``now`` is ISO 8601; ``target`` is where the environment's pointer lives, by default the home.
    The digest of the handle is what the environment serves now, if anything.

    Raises:
        PromotionError: the verdict is about another bundle.
        BundleError: the bundle is missing or was tampered with, or ``trust`` does not accept it.
    """
    if bundle.digest is None or bundle.digest != evaluation.digest:
        raise PromotionError(
            f"the verdict is about {evaluation.digest}, the bundle is {bundle.digest}; evaluate this bundle first"
        )
    pointers = target or PointerFiles(home.environments)
    verdict = read_verdict(handed_document(evaluation))
    if verdict.promote:
        facts = PromotionFacts(**asdict(promote(home, shop.name, bundle.digest, environment, now, pointers, trust)))
    else:
        facts = _refusal(bundle.digest, verdict, pointers.read(environment))
    say(facts.reason)
    place = str(home.environments / f"{environment}.json")
    handle = Handle("promotion", place, bundle.versions, facts.after, bundle.as_of)
    return StepResult(handle, None, None, facts)


def _refusal(digest: str, verdict: Verdict, pointer: Pointer) -> PromotionFacts:
    """Say why a proposal moved nothing."""
    live, environment = pointer.bundle, pointer.environment
    stays = f"{environment} keeps {short(live)}" if live else f"nothing is live in {environment}"
    failed = "; ".join(check.reason for check in verdict.checks if not check.passed)
    reason = f"{short(digest)} was refused, so {stays}: {failed}"
    return PromotionFacts(environment, before=live, after=live, moved=False, reason=reason)
