"""Train the ranker on grouped examples and draft its bundle; with too little data, draft the best baseline's."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from components.bundles.drafting import Draft, write_draft
from components.bundles.manifest import Manifest, Part
from components.bundles.margins import margins
from components.bundles.scoring import Ranker, ranker_from
from components.bundles.sidecar import Sidecar
from components.contracts.errors import TrainingError
from components.contracts.handles import Handle
from components.contracts.ranking_examples import ExamplesManifest, Split, read_manifest, read_split
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import TrainingFacts, facts_document
from components.drift.event_rows import sketch_events
from components.home.handed import handed_folder
from components.home.layout import Home
from components.lake.resources import usable_processors
from components.ranking.rivals import best_rule, rule_ndcg
from components.shop.settings import Shop
from components.train_ranker.boosting import (
    Fit,
    Matrices,
    TreeParameters,
    bin_rows,
    fit_booster,
    tree_parameters,
)
from components.train_ranker.input_checks import refuse_leaks, refuse_unusable, shortfall_of
from components.train_ranker.reference import learned_events, reference_sketches, spread_requests, warmup_rows
from components.train_ranker.targets import training_targets
from components.train_ranker.tuning import tune_parameters
from components.train_ranker.validation import Judges, mean_ndcg

Say = Callable[[str], None]
JUDGED_ROWS = 150_000
"""Rows of whole validation requests that judge every round; more cost time without telling rounds apart."""


def train_ranker(shop: Shop, home: Home, examples: Handle, run_id: str, say: Say) -> StepResult[TrainingFacts]:
    """Train on the examples' training split, stop early on its validation split, and draft a bundle.

    Raises:
        TrainingError: labels that are not numbers, a feature that leaks the label, or a training that diverged.
    """
    folder = handed_folder(examples)
    manifest = read_manifest(folder)
    train, validation = read_split(folder, "train"), read_split(folder, "validation")
    for name, split in (("training", train), ("validation", validation)):
        refuse_unusable(name, split)
    shortfall = shortfall_of(manifest, train, validation, shop)
    trained = (
        _baseline(manifest, train, validation, shop, shortfall)
        if shortfall
        else _ranker(manifest, train, validation, shop, say)
    )
    say("drafting the bundle")
    reference = validation if len(validation.features) else train
    ranker = ranker_from(trained.manifest, trained.models, usable_processors())
    facts = TrainingFacts(**trained.facts, **_about(manifest, train, validation, ranker, shop.k))
    sidecar = Sidecar("", run_id, manifest.as_of, manifest.train_end, examples.versions, facts_document(facts))
    events = sketch_events(shop, learned_events(shop, home, examples))
    sketches = reference_sketches(ranker, reference, trained.manifest.feature_names, events)
    draft = Draft(trained.manifest, trained.models, sketches, warmup_rows(ranker, reference), sidecar)
    place = home.run(run_id) / "draft"
    bundle = write_draft(place, draft)
    handle = Handle("bundle", str(place), examples.versions, bundle.digest, examples.as_of)
    rows = len(train.features) + len(validation.features)
    return StepResult(handle, rows, len(trained.manifest.feature_names), facts)


@dataclass(frozen=True)
class _Trained:
    manifest: Manifest
    models: dict[str, bytes]
    facts: dict[str, Any]


def _ranker(manifest: ExamplesManifest, train: Split, validation: Split, shop: Shop, say: Say) -> _Trained:
    say("looking for label leaks")
    refuse_leaks(validation, manifest, shop.k)
    targets, positions = training_targets(train)
    say(f"binning {len(train.features):,} training rows")
    matrices = bin_rows(train.features, targets, _judges(validation), shop.training)
    parameters, tuning = _parameters(matrices, shop, say)
    fits = _fits(matrices, parameters, shop, say)
    blend = tuple(_part(name, fit, validation, shop) for name, fit in fits.items())
    described = _described(manifest, shop, kind="ranker", blend=blend)
    models = {name: bytes(fit.booster.save_raw("ubj")) for name, fit in fits.items()}
    facts = {
        "kind": "ranker",
        "parameters": asdict(parameters) | {"seed": shop.training.seed, "threads": shop.training.threads},
        "rounds": {name: fit.rounds for name, fit in fits.items()},
        "curve": {name: [round(value, 6) for value in fit.curve] for name, fit in fits.items()},
        "blend": [asdict(part) for part in blend],
        "importance": _importance(ranker_from(described, models), described.feature_names),
        "positions": positions,
        "tuning": tuning,
    }
    return _Trained(described, models, facts)


def _judges(validation: Split) -> Judges:
    judged = spread_requests(validation, JUDGED_ROWS)
    labels = (validation.rows["label"].to_numpy()[judged] > 0).astype(np.float32)
    request = np.unique(validation.rows["request"].to_numpy()[judged], return_inverse=True)[1]
    return Judges(np.asarray(validation.features[judged]), labels, request)


def _baseline(manifest: ExamplesManifest, train: Split, validation: Split, shop: Shop, shortfall: str) -> _Trained:
    """Choose the baseline that ranked the validation requests best; without any, the one that mostly does."""
    if not manifest.baseline_names:
        raise TrainingError("the examples hold no baseline; build_training_set must score at least one")
    best = best_rule(manifest.baseline_names, train, validation, shop.k)
    facts = {"kind": "baseline", "baseline": best, "reason": shortfall}
    return _Trained(_described(manifest, shop, kind="baseline", baseline=best), {}, facts)


def _described(manifest: ExamplesManifest, shop: Shop, **what: Any) -> Manifest:
    return Manifest(
        shop=shop.name,
        horizon_days=shop.horizon_days,
        k=shop.k,
        feature_names=tuple(manifest.feature_names),
        feature_list=manifest.feature_list,
        feature_revision=manifest.feature_revision,
        baseline_names=tuple(manifest.baseline_names),
        candidates=shop.candidates.model_dump(mode="json"),
        rules=shop.rules.model_dump(mode="json"),
        **what,
    )


def _parameters(matrices: Matrices, shop: Shop, say: Say) -> tuple[TreeParameters, list[dict[str, float]] | None]:
    start = tree_parameters(shop.training)
    if not shop.training.tuning_trials:
        return start, None
    tuned = tune_parameters(matrices, start, shop.training, shop.k, say)
    return tuned.parameters, tuned.trials


def _fits(matrices: Matrices, parameters: TreeParameters, shop: Shop, say: Say) -> dict[str, Fit]:
    fits = {}
    if shop.training.logit_weight > 0:
        fits["logit"] = fit_booster(matrices, "logit", parameters, shop.training, shop.k, say)
    fits["rank"] = fit_booster(matrices, "rank", parameters, shop.training, shop.k, say)
    return fits


def _part(name: str, fit: Fit, validation: Split, shop: Shop) -> Part:
    """Standardise a booster's margins by their usual spread within a validation request: only that orders a list."""
    scores = margins(fit.booster, np.asarray(validation.features)).astype(np.float64)
    request, sizes = validation.rows["request"].to_numpy(), np.maximum(validation.group_sizes, 1)
    means = np.bincount(request, weights=scores, minlength=len(sizes)) / sizes
    spread = float(np.sqrt(np.mean((scores - means[request]) ** 2)))
    weight = shop.training.logit_weight if name == "logit" else 1.0
    return Part(name, weight, float(scores.mean()), spread or 1.0)


def _importance(ranker: Ranker, names: tuple[str, ...]) -> dict[str, float]:
    """Share of gain by feature, largest first."""
    shares = dict(zip(names, ranker.gain_shares().tolist(), strict=True))
    return {name: round(shares[name], 6) for name in sorted(names, key=lambda name: -shares[name])}


def _about(manifest: ExamplesManifest, train: Split, validation: Split, ranker: Ranker, k: int) -> dict[str, Any]:
    baselines = rule_ndcg(manifest.baseline_names, [validation], k)
    own = mean_ndcg(validation, ranker.score(np.asarray(validation.features), np.asarray(validation.baselines)), k)
    return {
        "as_of": manifest.as_of,
        "train_end": manifest.train_end,
        "train_requests": len(train.requests),
        "train_rows": len(train.features),
        "validation_requests": len(validation.requests),
        "validation_ndcg": own if baselines else None,
        "validation_baselines": baselines,
        "features": len(manifest.feature_names),
    }
