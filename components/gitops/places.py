"""Promotion and rollback wherever an environment lives: in the home, or in a Git repository."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from components.bundles import promotion
from components.bundles.environments import PointerFiles
from components.bundles.promotion import PointerChange, earlier_move, promotable_bundle
from components.bundles.sidecar import Sidecar
from components.bundles.store import find_bundle
from components.contracts.errors import BundleError
from components.gitops.request_text import Change
from components.gitops.settings import GitSettings, git_settings
from components.home.layout import Home
from components.home.runs.document import report_link
from components.home.runs.records import has_run, read_run

if TYPE_CHECKING:
    from components.bundles.signing.trust import Trust  # loads the cryptography
    from components.gitops.forges.forge import Forge
    from components.gitops.proposals import GitEnvironments


def promote(
    home: Home, shop: str, reference: str, environment: str, now: str, trust: "Trust | None" = None
) -> PointerChange:
    """Make an environment serve a published bundle that ``trust`` accepts, or propose that (``now`` is ISO 8601).

    Raises:
        PromotionError: the gate refused the bundle, or the repository or its forge refuses.
        PromotionHeldError: it waits for its hours in staging, or a person has closed its pull request.
        BundleError: it is missing, its parts disagree or it was tampered with; its signature is missing or foreign.
        ConfigurationError: a variable of the repository is wrong.
    """
    settings = git_settings(environment)
    if settings is None:
        return promotion.promote(home, shop, reference, environment, now, trust=trust)
    change = Change("promote", environment, promotable_bundle(home, shop, reference, trust), None)
    return git_environments(settings, home, shop).propose(_linked(home, change), datetime.fromisoformat(now))


def rollback(home: Home, shop: str, environment: str, now: str, trust: "Trust | None" = None) -> PointerChange:
    """Make an environment serve the bundle that it served before its last promotion, or propose that.

    Raises:
        PromotionError: there is nothing to go back to, or the repository or its forge refuses.
        BundleError: the earlier bundle is missing or was tampered with, or ``trust`` does not accept it.
        ConfigurationError: a variable of the repository is wrong.
    """
    settings = git_settings(environment)
    if settings is None:
        return promotion.rollback(home, shop, environment, now, trust=trust)
    environments = git_environments(settings, home, shop)
    pointer = environments.pointer(environment)
    bundle = promotable_bundle(home, shop, earlier_move(pointer).bundle, trust)
    change = Change("rollback", environment, bundle, pointer.bundle)
    return environments.propose(_linked(home, change), datetime.fromisoformat(now))


def live_digest(home: Home, environment: str) -> str | None:
    """Return the digest that an environment serves, wherever it lives; None when nothing was promoted.

    Raises:
        PromotionError: the pointer or the repository cannot be read.
        ConfigurationError: a variable of the repository is wrong.
    """
    settings = git_settings(environment)
    if settings is None:
        return PointerFiles(home.environments).read(environment).bundle
    from components.gitops.proposals import GitEnvironments
    from components.gitops.remote import Remote

    return GitEnvironments(settings, Remote(settings), None, lambda _: None).live(environment)


def repository_of(environment: str) -> str | None:
    """Return the repository that an environment lives in, as people read it; None: it lives in the home.

    Raises:
        ConfigurationError: a variable of the repository is wrong.
    """
    settings = git_settings(environment)
    return settings.place if settings else None


def git_environments(settings: GitSettings, home: Home, shop: str) -> "GitEnvironments":
    """Open the environments of a repository; the libraries of Git are imported only here."""
    from components.gitops.proposals import GitEnvironments
    from components.gitops.remote import Remote

    def known(reference: str) -> Sidecar | None:
        try:
            return find_bundle(home.models, shop, reference).sidecar
        except BundleError:
            return None

    return GitEnvironments(settings, Remote(settings), open_forge(settings), known)


def open_forge(settings: GitSettings) -> "Forge | None":
    """Return the forge of a repository; None where a branch is all that is proposed."""
    from components.gitops.forges.gitea import Gitea
    from components.gitops.forges.github import GitHub
    from components.gitops.forges.gitlab import GitLab

    match settings.forge:
        case "github":
            return GitHub.connect(settings)
        case "gitlab":
            return GitLab.connect(settings)
        case "gitea":
            return Gitea.connect(settings)
    return None


def _linked(home: Home, change: Change) -> Change:
    """Return a change that knows where people see the run that made the bundle, and its report."""
    run_id = change.bundle.sidecar.run_id
    link = read_run(home, run_id).link if has_run(home, run_id) else None
    return replace(change, run_link=link, report=report_link(home, run_id))
