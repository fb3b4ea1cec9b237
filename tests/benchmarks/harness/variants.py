"""Bundles that differ from the demo's champion in one thing."""

import os
from dataclasses import replace

from components.bundles.batch import Batch, open_batch
from components.bundles.drafting import Draft, write_draft
from components.bundles.loading import Bundle
from components.bundles.manifest import WARMUP, Manifest
from components.bundles.promotion import named_bundle
from components.bundles.scoring import ranker_from
from components.bundles.signing.home_key import bundle_signer
from components.bundles.store import publish_folder
from components.bundles.warmup import parse_warmup
from components.features.snapshots.sets import current_set
from components.home.layout import Home
from components.ranking.candidates import generate_candidates
from components.shop.settings import Candidates

SHOP = "complete_journey"
STEPS = 3  # until the mean is met


def publish_reweighted(home: Home) -> Bundle:
    """Publish the champion with its second booster weighing less: another digest, other scores."""
    manifest = named_bundle(home, SHOP, "champion").manifest
    parts = [replace(part, weight=part.weight * (1 - 0.1 * place)) for place, part in enumerate(manifest.blend)]
    return _publish(home, replace(manifest, blend=tuple(parts)))


def publish_widened(home: Home, candidates: int) -> Bundle:
    """Publish the champion with so many popular items that a user has so many candidates in the mean."""
    batch = open_batch(named_bundle(home, SHOP, "champion"), current_set(home.features))
    limits = Candidates(**batch.bundle.manifest.candidates)
    for _ in range(STEPS):
        limits = limits.model_copy(
            update={"popular": limits.popular + round(candidates - mean_candidates(batch, limits))}
        )
    return _publish(home, replace(batch.bundle.manifest, candidates=limits.model_dump()))


def mean_candidates(batch: Batch, limits: Candidates) -> float:
    """Candidates of a user in the mean."""
    return len(generate_candidates(batch.users, batch.items, limits)) / len(batch.users)


def _publish(home: Home, manifest: Manifest) -> Bundle:
    champion = named_bundle(home, SHOP, "champion")
    models = {part.name: champion.content[part.file] for part in manifest.blend}
    rows = parse_warmup(champion.content[WARMUP], champion.folder)
    warmup = replace(rows, expected=ranker_from(manifest, models).score(rows.features, rows.baselines))
    draft = write_draft(home.root / "variant", Draft(manifest, models, champion.sketches, warmup, champion.sidecar))
    sidecar = replace(champion.sidecar, digest=draft.digest)
    return publish_folder(home.models, draft, sidecar, bundle_signer(home, SHOP, os.environ))
