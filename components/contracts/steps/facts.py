"""The facts of each step for the report and `rankloop runs`, beside its handle and row counts.

A step's record holds them as JSON, without fields that are None. A report reads them back, also those of older runs
(``write_report/facts.py``), so a field that is added needs a default, as do parts that a report can do without.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from components.contracts.example_customers import CustomerExample


@dataclass(frozen=True)
class SourceFacts:
    """The result of reading one source."""

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

    sources: dict[str, SourceFacts] = field(default_factory=dict)


@dataclass(frozen=True)
class NewRows:
    """New raw rows of one table, and how many are clean."""

    rows: int
    clean: int
    quarantined: int
    unusable: int | None = None  # of the quarantined, without those that a rule of the shop leaves out
    reasons: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    without_user: int | None = None
    returns: int | None = None
    values: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=dict)  # the commonest ones by reason


@dataclass(frozen=True)
class QuarantinedRows:
    """Rows in quarantine for one reason, with a few of them as JSON, and the reason in words."""

    table: str
    source: str
    reason: str
    rows: int
    examples: list[str]
    words: str = ""


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

    first: str | None = None
    rows: list[int] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ReferenceFacts:
    """Shares of events whose item or user is unknown, and rows of items that are not merchandise."""

    unknown_items: float | None = None
    unknown_users: float | None = None
    not_merchandise_rows: int = 0


@dataclass(frozen=True)
class SnapshotFacts:
    """Counts of one snapshot table; they are also in the notes of the clean table."""

    rows: int = 0
    reasons: dict[str, int] = field(default_factory=dict)  # rows set aside
    examples: dict[str, list[str]] = field(default_factory=dict)  # of these, as JSON
    bad_cells: dict[str, int] = field(default_factory=dict)  # unreadable optional cells by column
    cells: dict[str, list[str]] = field(default_factory=dict)  # examples of these
    implausible_prices: int = 0
    prices: list[float] = field(default_factory=list)  # examples of these
    stock: dict[str, int] = field(default_factory=dict)  # the newest rows of items: yes, no, missing, unknown
    unknown_stock: dict[str, int] = field(default_factory=dict)  # rows by value, the most frequent values
    unused_rules: dict[str, dict[str, str]] = field(default_factory=dict)  # values without a row, with similar ones


@dataclass(frozen=True)
class ValidationFacts:
    """Of ``validate_events``: new rows, rows set aside, and the content of the clean tables."""

    new: dict[str, NewRows] = field(default_factory=dict)
    quarantine: list[QuarantinedRows] = field(default_factory=list)
    events: EventFacts | None = None
    days: DayFacts = field(default_factory=DayFacts)
    references: ReferenceFacts = field(default_factory=ReferenceFacts)
    tables: dict[str, int] = field(default_factory=dict)  # rows
    snapshots: dict[str, SnapshotFacts] = field(default_factory=dict)  # of each snapshot table with rows
    dropped_sources: dict[str, int] = field(default_factory=dict)  # rows of sources that the shop file no longer names


@dataclass(frozen=True)
class Histogram:
    """Rows of each bin; there is one edge more than bins."""

    edges: list[float]
    counts: list[int]


@dataclass(frozen=True)
class ColumnFacts:
    """The distribution of a column: the missing share, quantiles such as ``50%``, a histogram of its middle 98 %."""

    missing: float | None = None
    mean: float | None = None
    quantiles: dict[str, float] = field(default_factory=dict)
    histogram: Histogram | None = None


@dataclass(frozen=True)
class ViewFacts:
    """The snapshots of one view: rows of all days; entities, columns and distributions of the newest."""

    rows: int
    entities: int
    columns: int
    distributions: dict[str, ColumnFacts]


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
    """The wanted items: their number, and the share that is among the candidates, in all and by source."""

    relevant: int = 0
    candidates: float | None = None
    by_source: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitFacts:
    """One split of the examples: requests, rows, requests by slice."""

    requests: int
    rows: int
    slices: dict[str, int] = field(default_factory=dict)
    recall: RecallFacts = field(default_factory=RecallFacts)


@dataclass(frozen=True)
class ImpressionFacts:
    """Requests that the shop logged in the training window, and those that the ranker learned from."""

    found: int
    requests: int
    rows: int
    rows_as_served: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class ExamplesFacts:
    """Of ``build_training_set``; ``shortfall`` says why there is too little to train or judge on."""

    outcomes: int = 0
    splits: dict[str, SplitFacts] = field(default_factory=dict)
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
    """Of ``publish_bundle``: the model card, and the bundle's lists for a few customers."""

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
    """Of ``propose_promotion``: what the environment served before and serves now, and why.

    Where the environment lives in a Git ``repository``, nothing moves: a digest is ``proposed``, at a ``link``.
    """

    environment: str
    moved: bool
    reason: str
    before: str | None = None
    after: str | None = None
    proposed: str | None = None
    link: str | None = None
    repository: str | None = None


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
