"""Propose a promotion: the home's pointer moves, or a pull request is opened where the environment lives in Git.

Nothing comes of a verdict that is not "promote".
"""

from collections.abc import Callable
from dataclasses import asdict

from components.bundles.digest import short
from components.bundles.signing.trust import Trust
from components.contracts.errors import PromotionError, PromotionHeldError
from components.contracts.handles import Handle
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import PromotionFacts
from components.contracts.verdict import Verdict, read_verdict
from components.gitops.places import live_digest, promote, repository_of
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
    trust: Trust | None = None,
) -> StepResult[PromotionFacts]:
    """Promote a published bundle if its verdict says so; otherwise change nothing and say why.

    ``now`` is ISO 8601. The digest of the handle is what the environment serves now, if anything.

    Raises:
        PromotionError: the verdict is about another bundle, or the repository or its forge refuses.
        BundleError: the bundle is missing or was tampered with, or ``trust`` does not accept it.
    """
    if bundle.digest is None or bundle.digest != evaluation.digest:
        raise PromotionError(
            f"the verdict is about {evaluation.digest}, the bundle is {bundle.digest}; evaluate this bundle first"
        )
    verdict = read_verdict(handed_document(evaluation))
    facts = _promotion(home, shop.name, bundle.digest, verdict, environment, now, trust)
    say(facts.reason)
    place = facts.repository or str(home.environments / f"{environment}.json")
    handle = Handle("promotion", place, bundle.versions, facts.after, bundle.as_of)
    return StepResult(handle, None, None, facts)


def _promotion(
    home: Home, shop: str, digest: str, verdict: Verdict, environment: str, now: str, trust: Trust | None
) -> PromotionFacts:
    """Promote, or say why nothing came of it."""
    live, repository = live_digest(home, environment), repository_of(environment)
    if not verdict.promote:
        failed = "; ".join(check.reason for check in verdict.checks if not check.passed)
        stays = f"{environment} keeps {short(live)}" if live else f"nothing is live in {environment}"
        return _nothing(environment, live, repository, f"{short(digest)} was refused, so {stays}: {failed}")
    if repository and live not in (verdict.live, digest):
        return _nothing(environment, live, repository, _outdated(digest, verdict.live, live, environment))
    try:
        return PromotionFacts(**asdict(promote(home, shop, digest, environment, now, trust)))
    except PromotionHeldError as held:
        return _nothing(environment, live, repository, str(held))


def _nothing(environment: str, live: str | None, repository: str | None, reason: str) -> PromotionFacts:
    return PromotionFacts(environment, before=live, after=live, moved=False, reason=reason, repository=repository)


def _outdated(digest: str, judged: str | None, live: str | None, environment: str) -> str:
    """Say that the environment changed while the run judged its bundle."""
    against = f"against {short(judged)}" if judged else "when nothing was live"
    now = f"serves {short(live)} now" if live else "serves nothing now"
    return (
        f"{short(digest)} was judged {against}, and {environment} {now}, so it is not proposed;"
        " `rankloop run` judges it again"
    )
