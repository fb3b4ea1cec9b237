"""Rankers turn feature rows into scores. A blend of boosters and a baseline have the same interface."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from components.bundles.explaining import Explainer, TooLargeError
from components.bundles.manifest import Manifest, Part
from components.bundles.margins import margins
from components.bundles.xgboost_import import import_xgboost
from components.contracts.errors import BundleError

if TYPE_CHECKING:
    import xgboost

Floats = NDArray[np.float32]
Floats64 = NDArray[np.float64]


class Ranker(Protocol):
    """Scores rows; more is better. Equal rows get equal scores, to the bit, however they are batched."""

    def score(self, features: Floats, baselines: Floats) -> Floats:
        """Score rows: ``features`` float32 [rows, features] with NaN for missing, ``baselines`` [rows, baselines]."""

    def contributions(self, features: Floats) -> Floats:
        """Return what each feature added to each row's score: float32 [rows, features] (SHAP values of the trees)."""

    def contributions_by(self, features: Floats, groups: tuple[int, ...]) -> Floats64:
        """Return what groups of features added to each row's score, [rows, groups]: the sums of their contributions.

        ``groups`` has a number from 0 for each feature, below 0 for one that is left out. The first call for some
        groups prepares all later ones.
        """

    def gain_shares(self) -> NDArray[np.float64]:
        """Share of the trees' gain by feature: float64 [features], adding up to 1; all 0 for a baseline."""


@dataclass(frozen=True)
class BaselineRanker:
    """Answers with one column of the baselines."""

    column: int
    width: int
    features: int

    def score(self, features: Floats, baselines: Floats) -> Floats:
        """Return the baseline's own scores."""
        _check_width(baselines, self.width, "baselines")
        return np.asarray(baselines[:, self.column], dtype=np.float32)

    def contributions(self, features: Floats) -> Floats:
        """Return zeros: a baseline uses no feature."""
        return np.zeros(features.shape, dtype=np.float32)

    def contributions_by(self, features: Floats, groups: tuple[int, ...]) -> Floats64:
        """Return zeros: a baseline uses no feature."""
        return np.zeros((len(features), max(groups, default=-1) + 1))

    def gain_shares(self) -> NDArray[np.float64]:
        """Return zeros: a baseline uses no feature."""
        return np.zeros(self.features)


@dataclass(frozen=True)
class BlendRanker:
    """Standardises and adds up the margins of its boosters."""

    parts: tuple[tuple[Part, "xgboost.Booster"], ...]
    width: int
    _explainers: dict[tuple[int, ...], Explainer | None] = field(default_factory=dict, compare=False, repr=False)

    def score(self, features: Floats, baselines: Floats) -> Floats:
        """Return the blended margins; ``baselines`` is not used."""
        _check_width(features, self.width, "features")
        total = np.zeros(len(features), dtype=np.float32)
        for part, booster in self.parts if len(features) else ():
            total += _standardised(part, margins(booster, features))
        return total

    def contributions(self, features: Floats) -> Floats:
        """Return the blended contributions of the features, without the bias."""
        import xgboost

        _check_width(features, self.width, "features")
        total = np.zeros(features.shape, dtype=np.float32)
        for part, booster in self.parts if len(features) else ():
            matrix = xgboost.DMatrix(features, missing=np.nan, nthread=1)
            shares = booster.predict(matrix, pred_contribs=True, validate_features=False)
            total += np.float32(part.weight / part.scale) * shares[:, :-1]
        return total

    def contributions_by(self, features: Floats, groups: tuple[int, ...]) -> Floats64:
        """Return the blended contributions by tables; by XGBoost itself, where its trees are too deep for these."""
        _check_width(features, self.width, "features")
        explainer = self._explainer(groups)
        if explainer is not None:
            return explainer(features)
        contributions = self.contributions(features).astype(np.float64)
        places = np.array(groups)
        return np.stack(
            [contributions[:, places == group].sum(axis=1) for group in range(max(groups, default=-1) + 1)], axis=1
        )

    def _explainer(self, groups: tuple[int, ...]) -> Explainer | None:
        if groups not in self._explainers:
            try:
                factors = [(part.weight / part.scale, booster) for part, booster in self.parts]
                self._explainers[groups] = Explainer(factors, groups)
            except TooLargeError:
                self._explainers[groups] = None
        return self._explainers[groups]

    def gain_shares(self) -> NDArray[np.float64]:
        """Return each booster's shares of gain, mixed by the weights of the blend."""
        total = sum(part.weight * _gain_shares(booster, self.width) for part, booster in self.parts)
        return np.asarray(total) / sum(part.weight for part, _ in self.parts)


def booster_from(content: bytes, threads: int) -> "xgboost.Booster":
    """Read a booster from UBJSON; one thread scores a request fastest, more help only large batches."""
    import_xgboost()
    import xgboost

    try:
        booster = xgboost.Booster(model_file=bytearray(content))
    except xgboost.core.XGBoostError as error:
        first_line = str(error).strip().splitlines()[0]
        raise BundleError(
            f"a booster of the bundle is unreadable ({first_line}); `rankloop run --again` makes another"
        ) from error
    booster.set_param({"nthread": threads})
    return booster


def ranker_from(
    manifest: Manifest, models: Mapping[str, bytes], threads: int = 1, baseline_names: Sequence[str] | None = None
) -> Ranker:
    """Build the ranker that a manifest and its models (UBJSON by part name) describe.

    ``baseline_names`` are the columns of the baselines that it will be given, by default those that it was made with.

    Raises:
        BundleError: the manifest names a baseline or model that is not there, or a model of another width.
    """
    width = len(manifest.feature_names)
    if manifest.kind == "baseline":
        return _baseline_from(manifest, manifest.baseline_names if baseline_names is None else baseline_names)
    parts = tuple((part, booster_from(models[part.name], threads)) for part in manifest.blend)
    for part, booster in parts:
        if booster.num_features() != width:
            raise BundleError(
                f"{part.file} takes {booster.num_features()} features, the manifest lists {width};"
                " `rankloop run --again` makes another"
            )
    if not parts:
        raise BundleError("the bundle is a ranker without a model; `rankloop run --again` makes another")
    return BlendRanker(parts, width)


def _baseline_from(manifest: Manifest, names: Sequence[str]) -> BaselineRanker:
    if manifest.baseline not in names:
        known = ", ".join(names)
        raise BundleError(
            f"the bundle answers with baseline {manifest.baseline!r}, known are {known};"
            " `rankloop run --again` makes another"
        )
    return BaselineRanker(names.index(manifest.baseline), len(names), len(manifest.feature_names))


def _standardised(part: Part, values: Floats) -> Floats:
    return np.float32(part.weight) * ((values - np.float32(part.centre)) / np.float32(part.scale))


def _gain_shares(booster: "xgboost.Booster", width: int) -> NDArray[np.float64]:
    gain_by_feature = booster.get_score(importance_type="total_gain")
    gains = np.array([float(gain_by_feature.get(f"f{column}", 0.0)) for column in range(width)])  # type: ignore[arg-type]
    return gains / (gains.sum() or 1.0)


def _check_width(rows: Floats, width: int, what: str) -> None:
    if rows.ndim != 2 or rows.shape[1] != width:
        raise BundleError(
            f"found {what} of shape {rows.shape}, the bundle takes [rows, {width}];"
            " score with the feature code that the bundle was made with"
        )
