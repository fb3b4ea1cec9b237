"""The champion: the live bundle, if these held-out requests can judge it fairly."""

from dataclasses import dataclass, replace
from datetime import datetime

from components.bundles.digest import short
from components.bundles.loading import Bundle, check_rankable, load_ranker
from components.bundles.scoring import Ranker
from components.bundles.signing.trust import Trust
from components.bundles.store import find_bundle
from components.contracts.errors import BundleError
from components.contracts.ranking_examples import ExamplesManifest
from components.gitops.places import live_digest
from components.home.layout import Home
from components.lake.resources import usable_processors
from components.shop.settings import Shop


@dataclass(frozen=True)
class Champion:
    """The live side of an environment: its bundle if it can be opened, and its ranker if it can also be compared.

    Without a bundle, ``live`` still says whether anything is live.
    """

    bundle: Bundle | None = None
    ranker: Ranker | None = None
    set_aside: str | None = None
    live: str | None = None

    @property
    def is_ranker(self) -> bool:
        """Return whether a trained ranker may be live: what cannot be opened is taken for one."""
        return self.live is not None and (self.bundle is None or self.bundle.manifest.kind == "ranker")

    def without_ranker(self, why: str) -> "Champion":
        """Return the same champion, set aside for a reason."""
        return replace(self, ranker=None, set_aside=f"the champion {short(self.live or '')} was set aside: {why}")


def find_champion(
    home: Home, shop: Shop, environment: str, manifest: ExamplesManifest, trust: Trust | None = None
) -> Champion:
    """Open the bundle that the environment serves; set it aside, with the reason, when it cannot be compared.

    One that ``trust`` does not accept was not published here, whatever it scores.
    """
    live = live_digest(home, environment)
    if live is None:
        return Champion()
    try:
        bundle = find_bundle(home.models, shop.name, live)
        if trust is not None:
            trust.check(bundle)
    except (BundleError, OSError) as error:
        return Champion(live=live).without_ranker(str(error))
    champion = Champion(bundle, live=live)
    try:
        check_rankable(bundle.manifest, manifest.feature_list, manifest.feature_revision)
        ranker = load_ranker(bundle, usable_processors(), manifest.baseline_names)
    except (BundleError, OSError) as error:
        return champion.without_ranker(str(error))
    if bundle.manifest.kind == "ranker" and _moment(bundle.sidecar.train_end) > _moment(manifest.heldout_start):
        return champion.without_ranker(
            f"it was trained on outcomes up to {bundle.sidecar.train_end}, and the held-out weeks start at"
            f" {manifest.heldout_start}"
        )
    return replace(champion, ranker=ranker)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
