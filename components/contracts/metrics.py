"""The catalogue of metrics: every name that Rankloop shows to Prometheus, and the only place where one is declared.

Code counts and shows by these declarations; ``docs/metrics.md`` is generated from them, and a test holds the three
equal. Units are Prometheus' base units and stand at the end of a name (``_seconds``, ``_bytes``), counters end in
``_total``. What varies is a label. No label holds a user's id, a path as it was asked for, or anything else of which
callers could make many.
"""

from dataclasses import dataclass
from enum import StrEnum

UNITS = ("seconds", "bytes")


class MetricKind(StrEnum):
    """The kind of a metric, which says how its values may be used."""

    COUNTER = "counter"  # only grows while a process runs: look at its rate
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class MetricSource(StrEnum):
    """The process that exposes a metric."""

    SERVICE = "service"  # GET /metrics
    DRIFT = "drift"  # the step detect_drift: `metrics` of `rankloop drift --json`


@dataclass(frozen=True)
class Metric:
    """One metric; ``buckets`` are the upper bounds of a histogram's, in its unit."""

    source: MetricSource
    kind: MetricKind
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def unit(self) -> str:
        """Return the unit at the end of the name; empty for a number without one."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in UNITS else ""


CATALOGUE: dict[str, Metric] = {}
"""Every metric by its name."""


def _declared(metric: Metric) -> Metric:
    CATALOGUE[metric.name] = metric
    return metric


def _counter(name: str, text: str, *labels: str) -> Metric:
    return _declared(Metric(MetricSource.SERVICE, MetricKind.COUNTER, name, text, labels))


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return _declared(Metric(MetricSource.SERVICE, MetricKind.GAUGE, name, text, labels))


def _durations(name: str, text: str, *labels: str) -> Metric:
    return _declared(Metric(MetricSource.SERVICE, MetricKind.HISTOGRAM, name, text, labels, ANSWER_SECONDS))


def _shares(name: str, text: str, *labels: str) -> Metric:
    return _declared(Metric(MetricSource.SERVICE, MetricKind.HISTOGRAM, name, text, labels, SCORE_SHARES))


def _drift(name: str, text: str, *labels: str) -> Metric:
    return _declared(Metric(MetricSource.DRIFT, MetricKind.GAUGE, name, text, labels))


ANSWER_SECONDS = (
    *(0.00025, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008),
    *(0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0),
)  # tell answers of a few milliseconds apart

SCORE_SHARES = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 1.0)
"""A list's best score is one of hundreds, so that it lies near the top of all scores."""

REQUESTS = _counter("rankloop_requests_total", "Requests by route and status.", "route", "status")
REQUEST_DURATION = _durations(
    "rankloop_request_duration_seconds", "Time of a request in the service, body and waiting included.", "route"
)
STAGE_DURATION = _durations(
    "rankloop_stage_duration_seconds",
    "Time of an answer's stages, and of the whole as stage `total`. Requests scored as one batch each record the time"
    " of the batch: do not add them up.",
    "stage",
    "arm",
)
FALLBACKS = _counter("rankloop_fallbacks_total", "Answers that rest on a fallback.", "fallback", "arm")
EMPTY_LISTS = _counter("rankloop_empty_lists_total", "Answers without any item.", "arm")
BEST_SCORE = _shares(
    "rankloop_best_score_share",
    "Where a list's best score lies among the scores that its bundle was published with: the share of them that are not"
    " greater. Comparable between bundles, whatever the scale of their scores.",
    "arm",
)
REQUESTS_WAITING = _gauge("rankloop_requests_waiting", "Requests that wait for their answer or are being answered.")
REQUESTS_SHED = _counter("rankloop_requests_shed_total", "Requests refused because they would have waited too long.")

BUNDLE_INFO = _gauge("rankloop_bundle_info", "1 for the bundle that an arm answers from.", "arm", "digest")
BUNDLE_UNVERIFIED = _gauge(
    "rankloop_bundle_unverified",
    "1 while the bundle that an arm should answer from is refused, because its content, signature or provenance is not"
    " what was published; what was live before answers on.",
    "arm",
)
LIVE_CHANGES = _counter("rankloop_live_changes_total", "Times that bundles, experiment or item rows were replaced.")
LIVE_REFUSED = _counter("rankloop_live_refused_total", "Bundles and experiments that could not be opened.")

ITEM_ROWS_AGE = _gauge("rankloop_item_rows_age_seconds", "Age of the newest item row, by the home's clock.")
ONLINE_ROWS_EXPECTED = _gauge("rankloop_online_rows_expected", "Rows that a run put online.", "view")
ONLINE_ROWS = _gauge("rankloop_online_rows", "Rows that are online, estimated from a sample of them.", "view")
ROWS_DAMAGED = _counter(
    "rankloop_rows_damaged_total", "Users' rows whose content could not be read, since the item rows were read."
)
STORE_BREAKER = _gauge(
    "rankloop_store_breaker", "1 for the state of the store's circuit breaker: closed, open or trying.", "state"
)

SESSIONS = _gauge("rankloop_sessions", "Users whose sessions are held in memory.")
SESSIONS_DROPPED = _counter("rankloop_sessions_dropped_total", "Sessions dropped from memory: there are too many.")
EVENTS_NOT_RESTORED = _gauge("rankloop_events_not_restored", "Events beyond those that the start of the service reads.")

LISTS_SHOWN = _counter("rankloop_lists_shown_total", "Lists that were logged; previews are not.", "arm")
LISTS_CLICKED = _counter("rankloop_lists_clicked_total", "Lists of which an item was clicked or bought.", "arm")
RECIPROCAL_RANK = _counter(
    "rankloop_reciprocal_rank_total", "Sum over clicked lists of 1 / best position clicked.", "arm"
)

FEEDBACK_LISTS = _counter(
    "rankloop_feedback_lists_total",
    "Lists of the feedback log: `written` to disk or bucket, or `dropped` because too many waited.",
    "outcome",
)
FEEDBACK_EVENTS = _counter(
    "rankloop_feedback_events_total",
    "Events of the feedback log: `written` to disk or bucket, `repeated` (known already), or `refused` by it.",
    "outcome",
)
FEEDBACK_LISTS_WAITING = _gauge("rankloop_feedback_lists_waiting", "Lists that are not written yet.")
FEEDBACK_SYNC_AGE = _gauge(
    "rankloop_feedback_sync_age_seconds",
    "Time since everything logged was written; grows while that is refused.",
)

DRIFT_WINDOW_VERDICT = _drift(
    "rankloop_drift_window_verdict", "1 if the window drifted, 0 if it is stable; absent if it is too small to judge."
)
DRIFT_TABLE_VERDICT = _drift(
    "rankloop_drift_table_verdict",
    "1 if a table drifted (`quality` is the ranking's quality), 0 if it is stable; absent if it is too small to judge.",
    "table",
)
DRIFT_VERDICT = _drift(
    "rankloop_drift_verdict",
    "1 if a column drifted, 0 if it is stable; absent if its table is too small to judge.",
    "table",
    "column",
)
DRIFT_STATISTIC = _drift(
    "rankloop_drift_statistic",
    "A statistic of a column: `psi`, `ks`, and shares from 0 to 1 (`missing_share`, `missing_share_change`,"
    " `outside_share`, `new_category_share`, `vanished_category_share`).",
    "table",
    "column",
    "statistic",
)
DRIFT_LIMIT = _drift(
    "rankloop_drift_limit",
    "The value from which a statistic counts as drift: the shop file's, or what noise can reach if that is more.",
    "table",
    "column",
    "statistic",
)
DRIFT_ROWS = _drift("rankloop_drift_rows", "Rows of a table in the window.", "table")
DRIFT_COLUMNS = _drift("rankloop_drift_columns", "Columns of a table by their verdict.", "table", "verdict")
DRIFT_QUALITY_NDCG = _drift(
    "rankloop_drift_quality_ndcg",
    "Mean NDCG at the shop's k: `reference` when promoted, `live` in the window.",
    "window",
)
DRIFT_QUALITY_USERS = _drift("rankloop_drift_quality_users", "Users of the window whose outcomes are known.")


def catalogue_table(source: MetricSource) -> str:
    """Return the metrics of one source as a table in Markdown."""
    rows = (_row(metric) for metric in CATALOGUE.values() if metric.source is source)
    return "\n".join(["| metric | kind | unit | labels | meaning |", "|---|---|---|---|---|", *rows])


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | {metric.help} |"
