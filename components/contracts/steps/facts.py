"""The facts of each step: what it tells the report and `rankloop runs` beside its handle and row counts.

A step's record holds them as JSON, without fields that are None. A report is also written after a failure and of older
runs, so its readers take whatever is missing or of another type as absent (``write_report/facts.py``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from components.contracts.example_customers import CustomerExample


@dataclass(frozen=True)
class SourceFacts:
    """What came of reading one source."""

    rows_read: int = 0
    rows_new: int = 0
    rows_repeated: int = 0
    files_read: int = 0
    unmapped: tuple[str, ...] = ()
    new_columns: tuple[str, ...] = ()
    times: tuple[str, ...] = ()  # how its time columns were read, in words
    left_out: dict[str, str] = field(default_factory=dict)  # files beside the data, each with the reason


@dataclass(frozen=True)
class IngestionFacts:
    """Of ``ingest_events``: each source by its name."""

    sources: dict[str, SourceFacts]


@dataclass(frozen=True)
class NewRows:
    """New raw rows of one table, and what became of them."""

    rows: int
    clean: int
    quarantined: int
    unusable: int  # of the quarantined, without those that a rule of the shop leaves out
    reasons: dict[str, int]
    examples: dict[str, list[str]]
    without_user: int
    returns: int
    values: Mapping[str, Sequence[tuple[str, int]]]  # the commonest ones behind a reason, with their rows


@dataclass(frozen=True)
class QuarantinedRows:
    """Rows in quarantine for one reason, with a few of them as JSON, and the reason in words."""

    table: str
    source: str
    reason: str
    rows: int
    examples: list[str]
    words: str


@dataclass(frozen=True)
class EventFacts:
    """The clean events that are known at the run's moment; ``missing`` are shares of each optional column."""

    rows: int
    users: int
    items: int
    first: str | None
    last: str | None
    types: dict[str, int]
    missing: dict[str, float]


@dataclass(frozen=True)
class DayFacts:
    """Rows of every day of the shop's zone from the first on, and the days without any."""

    first: str | None
    rows: list[int]
    empty: list[str]


@dataclass(frozen=True)
class ReferenceFacts:
    """Shares of events whose item or user is unknown, and rows of items that are not merchandise."""

    unknown_items: float | None
    unknown_users: float | None
    not_merchandise_rows: int


@dataclass(frozen=True)
class ValidationFacts:
    """Of ``validate_events``: what was new, what was set aside, and what the clean tables hold."""

    new: dict[str, NewRows]
    quarantine: list[QuarantinedRows]
    events: EventFacts
    days: DayFacts
    references: ReferenceFacts
    tables: dict[str, int]  # rows
    snapshots: dict[str, dict[str, Any]]  # counts of each snapshot table that was read
    dropped_sources: dict[str, int]  # rows of sources that the shop file no longer names


@dataclass(frozen=True)
class ViewFacts:
    """The snapshots of one view: rows of all days; entities, columns and distributions of the newest."""

    rows: int
    entities: int
    columns: int
    distributions: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class FeatureFacts:
    """Of ``build_features``: the days of the set, those that were computed now, and its views."""

    revision: str
    first_event: str
    days: list[str]
    computed: list[str]
    views: dict[str, ViewFacts]


@dataclass(frozen=True)
class OnlineFacts:
    """Of ``materialize_features``: rows, written and kept_newer by view, and the same in words."""

    registry_applied: bool
    views: dict[str, dict[str, int]]
    words: str


@dataclass(frozen=True)
class RecallFacts:
    """How many of the wanted items are among the candidates: their number, and shares in all and by source."""

    relevant: int
    candidates: float
    by_source: dict[str, float]


@dataclass(frozen=True)
class SplitFacts:
    """One split of the examples: requests, rows, requests by slice."""

    requests: int
    rows: int
    slices: dict[str, int]
    recall: RecallFacts


@dataclass(frozen=True)
class ImpressionFacts:
    """Requests that the shop logged in the training window, and what was learned from."""

    found: int
    requests: int
    rows: int
    rows_as_served: int
    left_out: int


@dataclass(frozen=True)
class ExamplesFacts:
    """Of ``build_training_set``; ``shortfall`` says why there is too little to train or judge on."""

    outcomes: int
    splits: dict[str, SplitFacts]
    impressions: ImpressionFacts | None = None
    shortfall: str | None = None


@dataclass(frozen=True)
class TrainingFacts:
    """Of ``train_ranker``: a ranker's parameters and curves, or the baseline that stands in and the reason why."""

    kind: str
    as_of: str
    train_end: str
    train_requests: int
    train_rows: int
    validation_requests: int
    features: int
    validation_ndcg: float | None = None
    validation_baselines: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, Any] | None = None
    rounds: dict[str, int] | None = None
    curve: dict[str, list[float]] | None = None
    blend: list[dict[str, Any]] | None = None
    importance: dict[str, float] | None = None  # shares of gain, the largest first
    positions: Any = None
    tuning: list[dict[str, float]] | None = None
    baseline: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class EvaluationFacts:
    """Of ``evaluate_ranker``: the verdict, and the tournament where there was one."""

    promote: bool
    reasons: list[str]
    checks: list[dict[str, Any]]
    heldout_requests: int | None = None
    heldout_users: int | None = None
    contenders: list[dict[str, Any]] | None = None
    set_aside: str | None = None
    champion: str | None = None
    weeks: dict[str, dict[str, float]] | None = None
    latency_ms: float | None = None


@dataclass(frozen=True)
class PublicationFacts:
    """Of ``publish_bundle``: the model card, and what the bundle would show to a few customers."""

    digest: str
    run_id: str
    as_of: str
    train_end: str
    versions: dict[str, int]
    training: dict[str, Any]
    name: str
    kind: str
    promote: bool
    feature_list: str
    feature_revision: str
    bytes: int
    code_revision: str | None = None
    published_at: str | None = None
    examples: tuple[CustomerExample, ...] = ()


@dataclass(frozen=True)
class PromotionFacts:
    """Of ``propose_promotion``: what the environment served before and serves now, and why."""

    environment: str
    before: str | None
    after: str | None
    moved: bool
    reason: str


@dataclass(frozen=True)
class DriftFacts:
    """Of ``detect_drift``."""

    verdict: str
    drifted: bool
    reasons: list[str]
    bundle: str
    window_start: str
    metrics: dict[str, list[dict[str, Any]]]  # samples by metric: their labels and ``value``


def facts_document(facts: Any) -> dict[str, Any]:
    """Return the facts of a step as a JSON document, without fields that are None."""
    return {name: value for name, value in asdict(facts).items() if value is not None}
