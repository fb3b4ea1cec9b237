"""The step: the newest held-out window beside the reference of the bundle that serves.

The window is the newest requests whose outcomes are known: their candidates' features and the bundle's scores of them
are what it would have been asked, and their outcomes tell whether its quality held.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.bundles.loading import Bundle, check_revision, load_ranker
from components.bundles.promotion import named_bundle
from components.contracts.errors import BundleError
from components.contracts.examples import ExamplesManifest, Split, read_manifest, read_split
from components.contracts.handles import Handle
from components.contracts.home import Home
from components.contracts.shop import Drift, Shop
from components.detect_drift.detection import detect_drift
from components.detect_drift.evidently_report import columns_to_show, evidently_html
from components.detect_drift.metrics import drift_metrics
from components.drift.quality import JudgedQuality, KnownOutcomes
from components.drift.report import DriftReport
from components.drift.sketch_codec import sketches_from_json
from components.drift.thresholds import DriftThresholds
from components.ranking.metrics import ndcg, ranked_lists

if TYPE_CHECKING:
    import pandas as pd

UNIT = "user_id"
PAGE = "evidently.html"
SHOWN_ROWS = 4_000  # of each frame on Evidently's page


@dataclass(frozen=True)
class Detected:
    """The drift report's handle (its JSON file), and what is worth telling of it."""

    drift: Handle
    rows_in: int
    rows_out: int | None
    facts: dict[str, Any]


@dataclass(frozen=True)
class Window:
    """Rows of the newest requests and the bundle's scores of them."""

    rows: Split
    scores: NDArray[np.float32]
    start: datetime


def judge_newest_window(
    shop: Shop,
    home: Home,
    examples: Handle,
    environment: str,
    run_id: str,
    say: Callable[[str], None],
    window_days: int | None = None,
) -> Detected:
    """Compare the newest window with the live bundle's reference; before any promotion, with the last bundle's.

    Raises:
        BundleError: no bundle was ever published, or the one that was is damaged.
    """
    folder = Path(examples.uri)
    manifest = read_manifest(folder)
    bundle = _reference(home, shop.name, environment, manifest)
    say("scoring the newest window")
    window = _window(folder, manifest, bundle, window_days or shop.drift.window_days, shop.training.threads)
    say(f"comparing {len(window.scores):,} rows with the reference")
    limits = thresholds(shop.drift)
    report = _compare(bundle, manifest, window, limits, shop.gate.confidence)
    path = home.run(run_id) / "drift.json"
    path.write_text(json.dumps(report.to_dict(), indent=1))
    if report.table("features") is not None and len(window.scores):
        say("drawing a sample")
        _draw(home.run(run_id) / PAGE, folder, manifest, window, report, limits)
    handle = Handle("drift", str(path), examples.versions, bundle.digest, examples.as_of)
    facts = {
        "verdict": str(report.verdict),
        "drifted": report.drifted,
        "reasons": list(report.reasons),
        "bundle": bundle.digest,
        "window_start": window.start.isoformat(),
        "metrics": drift_metrics(report),
    }
    return Detected(handle, len(window.scores), None, facts)


def thresholds(drift: Drift) -> DriftThresholds:
    """The shop file's limits of drift."""
    return DriftThresholds(
        psi=drift.psi,
        ks=drift.ks,
        missing_share_change=drift.missing,
        new_category_share=drift.new_categories,
        quality_fall=drift.quality,
        min_users=drift.min_users,
    )


def _reference(home: Home, shop: str, environment: str, manifest: ExamplesManifest) -> Bundle:
    """The live bundle, or the last one where nothing is live or what is live was made for other features."""
    try:
        live = named_bundle(home, shop, "champion", environment)
        check_revision(live.manifest, manifest.feature_list, manifest.feature_revision)
    except BundleError:
        live = named_bundle(home, shop, "challenger")
        check_revision(live.manifest, manifest.feature_list, manifest.feature_revision)
    return live


def _window(folder: Path, manifest: ExamplesManifest, bundle: Bundle, days: int, threads: int) -> Window:
    """Requests made in the last ``days`` before the newest one's outcomes were complete."""
    split = read_split(folder, "heldout")
    as_of = datetime.fromisoformat(manifest.as_of)
    start = as_of - timedelta(days=max(days, manifest.horizon_days))
    rows = _requests_from(split, start)
    scores = load_ranker(bundle, threads).score(np.asarray(rows.features), np.asarray(rows.baselines))
    return Window(rows, scores, start)


def _requests_from(split: Split, start: datetime) -> Split:
    """The requests from a moment on, numbered anew."""
    chosen = pc.greater_equal(split.requests["request_time"], pa.scalar(start)).to_numpy(zero_copy_only=False)
    number = np.cumsum(chosen) - 1
    request = split.rows["request"].to_numpy()
    kept = np.flatnonzero(chosen[request]) if len(request) else np.empty(0, dtype=np.int64)
    rows = split.rows.take(pa.array(kept))
    place = rows.column_names.index("request")
    rows = rows.set_column(place, "request", pa.array(number[request[kept]], pa.int32()))
    return Split(split.features[kept], split.baselines[kept], rows, split.requests.filter(pa.array(chosen)))


def _compare(
    bundle: Bundle, manifest: ExamplesManifest, window: Window, limits: DriftThresholds, confidence: float
) -> DriftReport:
    reference = sketches_from_json(bundle.sketches)
    live = {"features": _features(window, manifest), "predictions": _predictions(window)}
    units = dict.fromkeys(live, UNIT)
    return detect_drift(reference, live, limits, units, _outcomes(bundle, window, confidence))


def _features(window: Window, manifest: ExamplesManifest) -> pa.Table:
    columns = {name: window.rows.features[:, place] for place, name in enumerate(manifest.feature_names)}
    return pa.table({**columns, UNIT: _users(window.rows)})


def _predictions(window: Window) -> pa.Table:
    return pa.table({"score": window.scores, UNIT: _users(window.rows)})


def _users(rows: Split) -> pa.ChunkedArray:
    return rows.requests[UNIT].take(rows.rows["request"])


def _outcomes(bundle: Bundle, window: Window, confidence: float) -> KnownOutcomes | None:
    """The quality that the bundle was judged with, and each request's now, cut where the bundle's was."""
    contenders = (bundle.sidecar.verdict or {}).get("contenders", [])
    judged = next((one["ndcg"] for one in contenders if one["name"] == "challenger"), None)
    if judged is None or not len(window.scores):
        return None
    request, labels = (window.rows.rows[name].to_numpy() for name in ("request", "label"))
    relevant = window.rows.requests["relevant"].to_numpy()
    found = ndcg(ranked_lists(request, window.scores, labels, relevant, bundle.manifest.k))
    users = pc.dictionary_encode(window.rows.requests[UNIT].combine_chunks()).indices.to_numpy()
    reference = JudgedQuality(judged["mean"], judged["low"], judged["high"], confidence, bundle.manifest.k)
    return KnownOutcomes(reference, found, users)


def _draw(
    page: Path, folder: Path, manifest: ExamplesManifest, window: Window, report: DriftReport, limits: DriftThresholds
) -> None:
    """Write Evidently's page of the columns that moved most: a sample of the validation week beside the window."""
    columns = columns_to_show(report, "features")
    places = {name: manifest.feature_names.index(name) for name in columns if name in manifest.feature_names}
    reference = _sample(read_split(folder, "validation"), places)
    if len(reference):
        page.write_text(evidently_html(reference, _sample(window.rows, places), columns, limits), encoding="utf-8")


def _sample(split: Split, places: dict[str, int]) -> "pd.DataFrame":
    """An evenly spread sample of some columns as a pandas frame."""
    import pandas as pd

    rows = np.unique(np.linspace(0, max(len(split.features) - 1, 0), SHOWN_ROWS).astype(int))[: len(split.features)]
    chosen = np.asarray(split.features[rows])
    return pd.DataFrame({name: chosen[:, place] for name, place in places.items()})
