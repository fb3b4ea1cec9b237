"""The step: the newest held-out window beside the reference of the bundle that serves.

The window is the newest requests whose outcomes are known: their candidates' features and the bundle's scores of them
are what it would have been asked, and their outcomes tell whether its quality held. The events since the first of
these requests tell whether the shop sells other things than it did.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from components.bundles.loading import Bundle, check_revision, load_ranker
from components.bundles.promotion import named_bundle
from components.bundles.signing.trust import Trust
from components.contracts.errors import BundleError
from components.contracts.handles import Handle
from components.contracts.ranking_examples import ExamplesManifest, Split, read_manifest, read_split
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import DriftFacts
from components.detect_drift.detection import LiveRows, detect_drift
from components.detect_drift.evidently_report import columns_to_show, evidently_html
from components.detect_drift.metrics import drift_metrics
from components.detect_drift.window import USER, Window, newest_window
from components.drift.event_rows import CleanEvents, event_rows
from components.drift.quality import JudgedQuality, KnownOutcomes
from components.drift.report import DriftReport
from components.drift.sketch_codec import sketches_from_json
from components.drift.thresholds import DriftThresholds
from components.drift.window import window_days
from components.gitops.places import live_digest
from components.home.handed import handed_folder
from components.home.layout import Home
from components.home.storage.documents import write_document
from components.home.storage.locations import Location
from components.ranking.metrics import ndcg, ranked_lists
from components.shop.settings import Drift, Shop

if TYPE_CHECKING:
    import pandas as pd

PAGE = "evidently.html"
SHOWN_ROWS = 4_000  # of each frame on Evidently's page


def judge_newest_window(
    shop: Shop,
    home: Home,
    examples: Handle,
    environment: str,
    run_id: str,
    say: Callable[[str], None],
    days: int | None = None,
    trust: Trust | None = None,
) -> StepResult[DriftFacts]:
    """Compare the newest window with the live bundle's reference; before any promotion, with the last bundle's.

    Raises:
        BundleError: no bundle was ever published, or the one that was is damaged, or ``trust`` does not accept it.
        ConfigurationError: the days asked for hold requests without known outcomes, or ones that were trained on.
    """
    folder = handed_folder(examples)
    manifest = read_manifest(folder)
    bundle = _reference(home, shop.name, environment, manifest, trust)
    say("scoring the newest window")
    ranker = load_ranker(bundle, shop.training.threads, manifest.baseline_names)
    window = newest_window(read_split(folder, "heldout"), manifest, ranker, window_days(shop, days))
    say(f"comparing {len(window.scores):,} rows with the reference")
    span = CleanEvents(home.clean, examples.versions, window.start, window.end, window.end)
    report = _compare(shop, bundle, manifest, window, span)
    place = home.run(run_id) / "drift.json"
    write_document(place, json.dumps(report.to_dict(), indent=1).encode())
    if shop.drift.page_columns and report.table("features") is not None and len(window.scores):
        say("drawing a sample")
        _draw(home.run(run_id) / PAGE, folder, manifest, window, report, shop.drift)
    handle = Handle("drift", str(place), examples.versions, bundle.digest, examples.as_of)
    facts = DriftFacts(
        verdict=str(report.verdict),
        drifted=report.drifted,
        reasons=list(report.reasons),
        bundle=bundle.digest,
        window_start=window.start.isoformat(),
        metrics=drift_metrics(report),
    )
    return StepResult(handle, len(window.scores), None, facts)


def thresholds(drift: Drift) -> DriftThresholds:
    """Return the shop file's limits of drift."""
    return DriftThresholds(
        psi=drift.psi,
        ks=drift.ks,
        missing_share_change=drift.missing,
        new_category_share=drift.new_categories,
        quality_fall=drift.quality,
        min_users=drift.min_users,
    )


def _reference(home: Home, shop: str, environment: str, manifest: ExamplesManifest, trust: Trust | None) -> Bundle:
    """Return the live bundle, or the last one if none is live or the live one cannot be compared with."""
    try:
        return _comparable(home, shop, live_digest(home, environment) or "challenger", manifest, trust)
    except BundleError:
        return _comparable(home, shop, "challenger", manifest, trust)


def _comparable(home: Home, shop: str, name: str, manifest: ExamplesManifest, trust: Trust | None) -> Bundle:
    bundle = named_bundle(home, shop, name)
    if trust is not None:
        trust.check(bundle)
    check_revision(bundle.manifest, manifest.feature_list, manifest.feature_revision)
    return bundle


def _compare(shop: Shop, bundle: Bundle, manifest: ExamplesManifest, window: Window, span: CleanEvents) -> DriftReport:
    reference = sketches_from_json(bundle.sketches)
    with event_rows(shop, span) as events:
        live: dict[str, LiveRows] = {
            "features": window.features(manifest.feature_names),
            "predictions": window.predictions,
            "data": events,
        }
        watched = {name: rows for name, rows in live.items() if name in reference.tables}
        outcomes = _outcomes(bundle, window, shop.gate.confidence)
        return detect_drift(reference, watched, thresholds(shop.drift), dict.fromkeys(watched, USER), outcomes)


def _outcomes(bundle: Bundle, window: Window, confidence: float) -> KnownOutcomes | None:
    """Return the quality that the bundle was judged with, and each request's now, cut where the bundle's was."""
    contenders = (bundle.sidecar.verdict or {}).get("contenders", [])
    judged = next((one["ndcg"] for one in contenders if one["name"] == "challenger"), None)
    if judged is None or not len(window.scores):
        return None
    request, labels = (window.rows.rows[name].to_numpy() for name in ("request", "label"))
    relevant = window.rows.requests["relevant"].to_numpy()
    values = ndcg(ranked_lists(request, window.scores, labels, relevant, bundle.manifest.k))
    users = pc.dictionary_encode(window.rows.requests[USER].combine_chunks()).indices.to_numpy()
    reference = JudgedQuality(judged["mean"], judged["low"], judged["high"], confidence, bundle.manifest.k)
    return KnownOutcomes(reference, values, users)


def _draw(
    page: Location,
    folder: Path,
    manifest: ExamplesManifest,
    window: Window,
    report: DriftReport,
    drift: Drift,
) -> None:
    """Write Evidently's page of the columns that moved most: a sample of the validation week beside the window."""
    columns = columns_to_show(report, "features", drift.page_columns)
    places = {name: manifest.feature_names.index(name) for name in columns if name in manifest.feature_names}
    reference = _sample(read_split(folder, "validation"), places)
    if len(reference):
        live = _sample(window.rows, places)
        write_document(page, evidently_html(reference, live, columns, thresholds(drift)).encode())


def _sample(split: Split, places: dict[str, int]) -> "pd.DataFrame":
    """Return an evenly spread sample of some columns as a pandas frame."""
    import pandas as pd

    rows = np.unique(np.linspace(0, max(len(split.features) - 1, 0), SHOWN_ROWS).astype(int))[: len(split.features)]
    chosen = np.asarray(split.features[rows])
    return pd.DataFrame({name: chosen[:, place] for name, place in places.items()})
