"""The shop of the acceptance: a home in the bucket with rows online, and bundles that are good, bad and damaged."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from components.bundles.digest import short
from components.bundles.drafting import write_draft
from components.bundles.loading import Bundle
from components.bundles.signing.keys import SigningKey
from components.bundles.signing.origin import origin_of_code
from components.bundles.signing.signer import Signer
from components.bundles.store import publish_folder
from components.contracts.moments import now_text
from components.drift.numeric import sketch_numbers
from components.drift.sketch_codec import sketches_to_json
from components.drift.sketches import Sketches, TableSketch
from components.home.layout import ONLINE_VARIABLE, Home
from components.home.storage.documents import names_below, read_document, write_document
from pipelines.api_keys import add_key
from tests.acceptance.gitops.settings import GitOpsSettings
from tests.components.bundles.signing.signed_bundles import key_in
from tests.components.ranking_service.served_shop import Stocked, listed, random_trees, recommender, stocked
from tests.steady_load import USERS

SPREAD = 0.05  # in standard deviations


@dataclass(frozen=True)
class AcceptanceShop:
    """A shop whose bundles are signed with a key of the acceptance."""

    stocked: Stocked
    key: SigningKey
    caller_key: str
    folder: Path

    @property
    def home(self) -> Home:
        """Return its home."""
        return self.stocked.home

    def publish(self, name: str, k: int, shift: float = 0.0) -> str:
        """Publish a ranker that the gate let through, signed; return its digest.

        All have the same trees, so that their scores are alike, and differ in the default length ``k`` of a list. With
        a ``shift``, the scores that it was published with are not those that it gives.
        """
        draft = random_trees(self.stocked.features.revision, k=k)
        scores = self._best_scores(write_draft(self.folder / name, draft)) + shift
        table = TableSketch(len(scores), {"score": sketch_numbers(scores)})
        draft = replace(draft, sketches=sketches_to_json(Sketches({"predictions": table})))
        bundle = write_draft(self.folder / name, draft)
        verdict = {"promote": True, "checks": [], "best_baseline": "popularity"}
        sidecar = replace(bundle.sidecar, run_id=name, published_at=now_text(), verdict=verdict)
        return publish_folder(self.home.models, bundle, sidecar, Signer(self.key, origin_of_code({}))).digest

    def _best_scores(self, bundle: Bundle) -> NDArray[np.float64]:
        """Return scores around the best one of each user's list, so that none of them is a quantile itself."""
        with recommender(replace(self.stocked, bundle=bundle)) as asked:
            best = np.array([listed(asked, user, k=1).items[0].score for user in USERS])
        return np.concatenate([best + best.std() * shift for shift in np.linspace(-SPREAD, SPREAD, 11)])

    def damage(self, digest: str) -> str:
        """Flip one byte of a published bundle's model; return the name of the object."""
        files = (name for name in names_below(self.home.models) if short(digest) in name)
        models = sorted(name for name in files if name.endswith(".ubj"))
        place = self.home.models / models[0]
        content = bytearray(read_document(place) or b"")
        content[len(content) // 2] ^= 1
        write_document(place, bytes(content))
        return models[0]


def make_shop(settings: GitOpsSettings, folder: Path, patch: pytest.MonkeyPatch) -> AcceptanceShop:
    """Make the shop in the bucket and put its rows online."""
    patch.setenv("RANKLOOP_CACHE", str(folder / "cache"))
    patch.setenv(ONLINE_VARIABLE, settings.online_here)
    shop = stocked(folder / "drafts", settings.settings.store / "home")
    key = add_key(shop.home, "acceptance", now_text())
    return AcceptanceShop(shop, key_in(folder / "keys", "acceptance"), key, folder)
