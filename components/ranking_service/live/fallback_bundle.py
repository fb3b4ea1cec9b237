"""Simple rules as bundles: the baseline's arm, and what answers when no bundle can be opened."""

from dataclasses import replace
from pathlib import Path

from components.bundles.loading import Bundle
from components.bundles.manifest import Manifest
from components.bundles.sidecar import Sidecar
from components.ranking.baselines import BASELINE_NAMES, CATALOGUE_ORDER
from components.ranking.features import FEATURE_NAMES, feature_list
from components.shop.settings import Candidates

IN_MEMORY = Path()  # nothing of these bundles lies on disk
SERVED_BY = tuple(name for name in BASELINE_NAMES if name != CATALOGUE_ORDER)
USUALLY_BEST = "buy_it_again"
K = 10
HORIZON_DAYS = 7


def baseline_bundle(bundle: Bundle) -> Bundle:
    """The best simple rule by the verdict on a bundle, over the same candidates and under the same rules.

    Where the verdict names none that this code knows, it is the rule that usually is the best.
    """
    if bundle.manifest.kind == "baseline":
        return bundle
    name = (bundle.sidecar.verdict or {}).get("best_baseline")
    known = name if name in SERVED_BY else USUALLY_BEST
    return _bundle(replace(bundle.manifest, kind="baseline", baseline=known, blend=()))


def fallback_bundle(shop: str, revision: str, known: Bundle | None) -> Bundle:
    """A simple rule for a shop whose promoted bundle cannot be opened, over the rows of a feature revision.

    ``known`` is any bundle of the shop that can be opened: its candidates, rules and best baseline are taken.
    """
    if known is not None:
        baseline = baseline_bundle(known)
        return replace(baseline, manifest=_for_this_code(baseline.manifest, revision))
    manifest = Manifest(
        kind="baseline",
        shop=shop,
        horizon_days=HORIZON_DAYS,
        k=K,
        feature_names=FEATURE_NAMES,
        feature_list=feature_list(),
        feature_revision=revision,
        baseline_names=BASELINE_NAMES,
        baseline=USUALLY_BEST,
        candidates=Candidates().model_dump(),
    )
    return _bundle(manifest)


def _for_this_code(manifest: Manifest, revision: str) -> Manifest:
    """A rule's manifest over the columns that this code makes, whatever code the bundle was made with."""
    return replace(
        manifest,
        feature_names=FEATURE_NAMES,
        feature_list=feature_list(),
        feature_revision=revision,
        baseline_names=BASELINE_NAMES,
        baseline=manifest.baseline if manifest.baseline in SERVED_BY else USUALLY_BEST,
    )


def _bundle(manifest: Manifest) -> Bundle:
    digest = f"baseline:{manifest.baseline}"
    return Bundle(IN_MEMORY, digest, manifest, Sidecar(digest, run_id="", as_of="", train_end=""))
