"""The champion: what is live now, if it can be judged fairly on these held-out requests."""

from dataclasses import dataclass
from datetime import datetime

from components.bundles.digest import short
from components.bundles.environments import PointerFiles
from components.bundles.loading import Bundle, check_revision, load_ranker
from components.bundles.scoring import Ranker
from components.bundles.store import find_bundle
from components.contracts.errors import BundleError
from components.contracts.examples import ExamplesManifest
from components.contracts.home import Home
from components.contracts.shop import Shop


@dataclass(frozen=True)
class Champion:
    """What an environment serves: its bundle if one is live and whole, its ranker if it can also be compared."""

    bundle: Bundle | None = None
    ranker: Ranker | None = None
    set_aside: str | None = None


def find_champion(home: Home, shop: Shop, environment: str, manifest: ExamplesManifest) -> Champion:
    """Open what the environment serves; set it aside, with the reason, when it cannot be compared."""
    live = PointerFiles(home.environments).read(environment).bundle
    if live is None:
        return Champion()
    try:
        bundle = find_bundle(home.models, shop.name, live)
        ranker = load_ranker(bundle, shop.training.threads)
    except BundleError as error:
        return Champion(set_aside=f"the champion {short(live)} was set aside: {error}")
    try:
        check_revision(bundle.manifest, manifest.feature_list, manifest.feature_revision)
    except BundleError as error:
        return Champion(bundle, set_aside=f"the champion {short(live)} was set aside: {error}")
    if bundle.manifest.kind == "ranker" and _moment(bundle.sidecar.train_end) > _moment(manifest.heldout_start):
        reason = (
            f"the champion {short(live)} was set aside: it was trained on outcomes up to {bundle.sidecar.train_end},"
            f" and the held-out weeks start at {manifest.heldout_start}"
        )
        return Champion(bundle, set_aside=reason)
    return Champion(bundle, ranker)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
