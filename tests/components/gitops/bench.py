"""A home with bundles, a Git server and a forge, as promotions meet them."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from components.bundles.loading import Bundle
from components.bundles.promotion import PointerChange, earlier_move
from components.bundles.store import find_bundle, publish_folder
from components.contracts.errors import BundleError
from components.gitops import settings as names
from components.gitops.places import git_environments
from components.gitops.proposals import GitEnvironments
from components.gitops.request_text import Change
from components.gitops.settings import GitSettings, repository_settings
from components.home.layout import Home
from tests.components.bundles.drafts import ranker_draft, written
from tests.forges.forge import Forge
from tests.forges.served import serving
from tests.git_server import Repository, Served, git_over_http

TOKEN, READER = "token-of-the-account-7Zq", "token-that-only-reads-4Kp"
NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
SCORE = {"mean": 0.2312, "low": 0.2254, "high": 0.2371}
FIRST_DAY = datetime(2026, 6, 1, tzinfo=UTC)


def contender(name: str, mean: float, **more: Any) -> dict[str, Any]:
    """Return a contender's scores."""
    measures = {"map": mean / 2, "hit_rate": mean * 2, "recall": mean, "coverage": 0.61, "novelty": 4.2}
    return {"name": name, "ndcg": {"mean": mean, "low": mean - 0.006, "high": mean + 0.006}, "metrics": measures} | more


def comparison(against: str, mean: float) -> dict[str, Any]:
    """Return by how much the new bundle leads."""
    return {
        "against": against,
        "difference": {"mean": mean, "low": mean - 0.004, "high": mean + 0.004},
        "reference": 0.2,
    }


def verdict(promote: bool = True) -> dict[str, Any]:
    """Return a verdict with all that a pull request shows."""
    slices = {"new": SCORE, "heavy": SCORE}
    reason = "NDCG@10 0.2312 beats the best simple rule, buy_it_again, by 0.0311"
    return {
        "promote": promote,
        "checks": [
            {"name": "superiority", "passed": promote, "reason": reason},
            {"name": "coverage", "passed": True, "reason": "coverage 61% of what sells | expected 20%"},
        ],
        "contenders": [
            contender("buy_it_again", 0.2001),
            contender("popularity", 0.1204),
            contender("champion", 0.2207, slices=slices),
            contender("challenger", 0.2312, slices=slices, slice_users={"new": 120, "heavy": 1400}),
        ],
        "best_baseline": "buy_it_again",
        "comparisons": [comparison("buy_it_again", 0.0311), comparison("champion", 0.0105)],
    }


def publish(home: Home, number: int, **changes: Any) -> Bundle:
    """Publish a bundle that differs by its number, and is newer the larger that is."""
    draft = written(home.root / f"draft-{number}", ranker_draft(k=number))
    made = (FIRST_DAY + timedelta(days=number)).isoformat()
    sidecar = replace(
        draft.sidecar,
        run_id=f"run-{number}",
        as_of=made,
        published_at=made,
        verdict=verdict(),
        versions={"events": number},
    )
    return publish_folder(home.models, draft, replace(sidecar, **changes))


@dataclass
class Bench:
    """All that takes part in a promotion."""

    home: Home
    git: Served
    forge: Forge | None
    variables: dict[str, str]

    @property
    def repository(self) -> Repository:
        """Return the repository behind the server."""
        return self.git.repository

    @property
    def settings(self) -> GitSettings:
        """Return the settings of the account."""
        settings = repository_settings(self.variables)
        assert settings is not None
        return settings

    @property
    def environments(self) -> GitEnvironments:
        """Return the environments as one process sees them."""
        return git_environments(self.settings, self.home, "corner")

    def bundle(self, reference: str) -> Bundle:
        """Return a published bundle."""
        return find_bundle(self.home.models, "corner", reference)

    def propose(self, bundle: Bundle, environment: str = "staging", now: datetime = NOW) -> PointerChange:
        """Propose a promotion."""
        return self.environments.propose(Change("promote", environment, bundle, None), now)

    def go_back(self, environment: str = "staging") -> PointerChange:
        """Propose a rollback."""
        pointer = self.environments.pointer(environment)
        change = Change("rollback", environment, self.bundle(earlier_move(pointer).bundle), pointer.bundle)
        return self.environments.propose(change, NOW)


@contextmanager
def bench(folder: Path, kind: type[Forge] | None, home: Home | None = None) -> Iterator[Bench]:
    """Serve an empty repository over HTTP, and a forge's API if one is named."""
    repository = Repository(folder / "deploy.git")
    repository.create()
    (folder / "token").write_text(f"{TOKEN}\n")
    forge = None if kind is None else kind(repository, TOKEN)
    with git_over_http(repository, {TOKEN: "write", READER: "read"}) as git, serving(forge) if forge else nullcontext():
        variables = {
            names.URL: git.url,
            names.FORGE: "none" if forge is None else forge.name,
            names.TOKEN_FILE: str(folder / "token"),
        }
        variables |= {} if forge is None else {names.API_URL: forge.url}
        yield Bench(home or Home(folder / "home"), git, forge, variables)
        assert forge is None or not forge.mistakes


def is_published(home: Home, digest: str) -> bool:
    """Return whether a home has a bundle that the gate let through."""
    try:
        return find_bundle(home.models, "corner", digest).sidecar.promotable
    except BundleError:
        return False
