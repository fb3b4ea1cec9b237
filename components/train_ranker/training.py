"""Train the ranker on grouped examples and draft its bundle; with too little data, draft the best baseline's."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.bundles.drafting import Draft, write_draft
from components.bundles.manifest import Manifest, Part
from components.bundles.scoring import Ranker, margins, ranker_from
from components.bundles.sidecar import Sidecar
from components.contracts.errors import TrainingError
from components.contracts.examples import ExamplesManifest, Split, read_manifest, read_split
from components.contracts.handles import Handle
from components.contracts.home import Home
from components.contracts.shop import Shop
from components.ranking.metrics import ndcg, ranked_lists
from components.train_ranker.boosting import (
    Fit,
    Matrices,
    Targets,
    TreeParameters,
    bin_rows,
    fit_booster,
    tree_parameters,
)
from components.train_ranker.leakage import refuse_leaks
from components.train_ranker.positions import inverse_propensities, position_propensities
from components.train_ranker.reference import reference_sketches, warmup_rows
from components.train_ranker.tuning import tune_parameters

Say = Callable[[str], None]
PREFERRED_BASELINE = "buy_it_again"


@dataclass(frozen=True)
class Drafted:
    """A draft bundle in the run's folder, and what is worth telling of its training."""

    bundle: Handle
    rows_in: int
    rows_out: int
    facts: dict[str, Any]


def train_ranker(shop: Shop, examples: Handle, home: Home, run_id: str, say: Say) -> Drafted:
    """Train on the examples' training split, stop early on its validation split, and draft a bundle.

    Raises:
        TrainingError: labels that are not numbers, a feature that leaks the label, or a training that diverged.
    """
    folder = Path(examples.uri)
    manifest = read_manifest(folder)
    train, validation = read_split(folder, "train"), read_split(folder, "validation")
    for name, split in (("training", train), ("validation", validation)):
        _refuse_unusable(name, split)
    shortfall = _shortfall(manifest, train, validation, shop)
    trained = (
        _baseline(manifest, validation, shop, shortfall)
        if shortfall
        else _ranker(manifest, train, validation, shop, say)
    )
    say("drafting the bundle")
    reference = validation if len(validation.features) else train
    ranker = ranker_from(trained.manifest, trained.models, shop.training.threads)
    facts = trained.facts | _about(manifest, train, validation, ranker, shop.k)
    sidecar = Sidecar("", run_id, manifest.as_of, manifest.train_end, examples.versions, facts)
    sketches = reference_sketches(ranker, reference, trained.manifest.feature_names)
    draft = Draft(trained.manifest, trained.models, sketches, warmup_rows(ranker, reference), sidecar)
    bundle = write_draft(home.run(run_id) / "draft", draft)
    handle = Handle("bundle", str(bundle.folder), examples.versions, bundle.digest, examples.as_of or manifest.as_of)
    rows = len(train.features) + len(validation.features)
    return Drafted(handle, rows, len(trained.manifest.feature_names), facts)


@dataclass(frozen=True)
class _Trained:
    manifest: Manifest
    models: dict[str, bytes]
    facts: dict[str, Any]


def _ranker(manifest: ExamplesManifest, train: Split, validation: Split, shop: Shop, say: Say) -> _Trained:
    say("looking for label leaks")
    refuse_leaks(validation, manifest.feature_names, shop.k)
    targets, positions = _targets(train)
    say(f"binning {len(train.features):,} training rows")
    labels = (validation.rows["label"].to_numpy() > 0).astype(np.float32)
    matrices = bin_rows(train.features, targets, validation.features, labels, validation.group_sizes, shop.training)
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


def _baseline(manifest: ExamplesManifest, validation: Split, shop: Shop, shortfall: str) -> _Trained:
    """Choose the baseline that ranked the validation requests best; without any, the one that mostly does."""
    if not manifest.baseline_names:
        raise TrainingError("the examples hold no baseline; build_training_set must score at least one")
    scored = _baseline_ndcg(manifest, validation, shop.k)
    usual = PREFERRED_BASELINE if PREFERRED_BASELINE in manifest.baseline_names else manifest.baseline_names[0]
    best = max(scored, key=lambda name: scored[name]) if scored else usual
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


def _refuse_unusable(name: str, split: Split) -> None:
    for column in ("label", "weight"):
        values = split.rows[column].to_numpy(zero_copy_only=False)
        wrong = int(np.count_nonzero(~np.isfinite(values) | (values < 0)))
        if wrong:
            raise TrainingError(
                f"{wrong} of {len(values)} {name} rows have a {column} that is negative or not a number;"
                " expected finite numbers from 0 up: look at the outcomes in build_training_set's report"
            )


def _shortfall(manifest: ExamplesManifest, train: Split, validation: Split, shop: Shop) -> str | None:
    if not manifest.enough:
        return manifest.shortfall or "too few users or too short a history"
    for name, split, least in (("training", train, shop.training.min_requests), ("validation", validation, 1)):
        found = _informative_requests(split)
        if found < least:
            return f"{found} {name} requests have both a success and another candidate; at least {least} are needed"
    return None


def _informative_requests(split: Split) -> int:
    request, labels = split.rows["request"].to_numpy(), split.rows["label"].to_numpy()
    positives = np.bincount(request, weights=labels > 0, minlength=len(split.requests))
    return int(((positives > 0) & (positives < split.group_sizes)).sum())


def _targets(train: Split) -> tuple[Targets, list[float] | None]:
    """Labels, weights and gains of the training rows; clicks on shown items count by their position's propensity."""
    labels = (train.rows["label"].to_numpy() > 0).astype(np.float32)
    weights = train.rows["weight"].to_numpy().astype(np.float32)
    position = train.rows["position"].fill_null(0).to_numpy().astype(np.int64)
    shown = position > 0
    if not shown.any():
        return Targets(labels, labels, weights, train.group_sizes), None
    item = train.rows["item_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    propensities = position_propensities(item[shown], position[shown], labels[shown] > 0)
    gains = labels * inverse_propensities(position, propensities)
    weighted = weights * np.where(labels > 0, gains, 1).astype(np.float32)
    return Targets(gains, labels, weighted, train.group_sizes), np.round(propensities, 4).tolist()


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
    """Standardise a booster's margins by their spread over the validation candidates."""
    found = margins(fit.booster, np.asarray(validation.features)).astype(np.float64)
    weight = shop.training.logit_weight if name == "logit" else 1.0
    return Part(name, weight, float(found.mean()), float(found.std()) or 1.0)


def _importance(ranker: Ranker, names: tuple[str, ...]) -> dict[str, float]:
    """Share of gain by feature, largest first."""
    shares = dict(zip(names, ranker.gain_shares().tolist(), strict=True))
    return {name: round(shares[name], 6) for name in sorted(names, key=lambda name: -shares[name])}


def _about(manifest: ExamplesManifest, train: Split, validation: Split, ranker: Ranker, k: int) -> dict[str, Any]:
    baselines = _baseline_ndcg(manifest, validation, k)
    own = _mean_ndcg(validation, ranker.score(np.asarray(validation.features), np.asarray(validation.baselines)), k)
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


def _baseline_ndcg(manifest: ExamplesManifest, validation: Split, k: int) -> dict[str, float]:
    if not (validation.requests["relevant"].to_numpy() > 0).any():
        return {}
    names = manifest.baseline_names
    return {name: _mean_ndcg(validation, validation.baselines[:, column], k) for column, name in enumerate(names)}


def _mean_ndcg(split: Split, scores: NDArray[np.floating], k: int) -> float:
    request, labels = split.rows["request"].to_numpy(), split.rows["label"].to_numpy()
    found = ndcg(ranked_lists(request, scores, labels, split.requests["relevant"].to_numpy(), k))
    return float(np.nanmean(found)) if np.isfinite(found).any() else 0.0
