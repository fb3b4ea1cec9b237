"""The shop file's settings types: everything that a new shop writes, validated once.

Each field's ``description`` is its documentation: the reference table in ``docs/shop-file.md`` is made from it.
"""

from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator

from components.contracts.errors import ConfigurationError
from components.contracts.feedback import SERVED_SOURCE
from components.contracts.ids import id_text, trimmed
from components.shop.document import describe_mistakes, read_document
from components.shop.sources import (
    EventColumns,
    EventSource,
    EventStream,
    EventType,
    FeedbackSource,
    FileSource,
    ImpressionSource,
    ItemSource,
    PromotionSource,
    Settings,
    Share,
    UserSource,
    known_zone,
)

__all__ = [
    "Candidates",
    "Contract",
    "Drift",
    "EventColumns",
    "EventSource",
    "EventStream",
    "EventType",
    "Features",
    "FeedbackSource",
    "FileSource",
    "Gate",
    "ImpressionSource",
    "ItemSource",
    "PromotionSource",
    "Rules",
    "Settings",
    "Shop",
    "Training",
    "UserSource",
    "load_shop",
]


class Rules(Settings):
    """What may be recommended."""

    not_merchandise: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Items never recommended: a catalogue column (`item` for the id itself) and its values.",
    )
    max_per_category: int | None = Field(
        None, ge=1, description="Largest number of items of one category (the finest level) in a list."
    )
    hours_after_purchase: int = Field(
        12,
        ge=0,
        description="The service leaves out items that the user bought in the last so many hours; 0 leaves out "
        "nothing.",
    )
    in_stock_only: str | None = Field(
        None,
        description="An item attribute that says whether the item may be recommended: a number above 0, or a word for "
        "yes (see above). Missing or unknown values mean out of stock.",
    )
    in_stock_words: tuple[str, ...] = Field((), description="Further values of `in_stock_only` that mean yes.")
    out_of_stock_words: tuple[str, ...] = Field((), description="Further values of `in_stock_only` that mean no.")

    @field_validator("not_merchandise")
    @classmethod
    def _as_cells_are_read(cls, rules: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {
            column: tuple(id_text(value) if column == "item" else trimmed(value) for value in values)
            for column, values in rules.items()
        }


class Contract(Settings):
    """The limits of the data contract; beyond a hard limit the run stops."""

    max_quarantined: Share = Field(
        0.05,
        description="Largest share in quarantine of new rows, and of the rows of catalogue, customers or promotions.",
    )
    max_missing_items: Share = Field(0.001, description="Largest share of new event rows without an item.")
    max_missing_users: Share = Field(1.0, description="Largest share of new event rows without a user.")
    max_unknown_items: Share = Field(
        0.5,
        description="Largest share of what was sold in the last four horizons that may be missing in the catalogue, "
        "counted by rows and by distinct items; 1 sets no limit.",
    )
    max_duplicates: Share = Field(
        1.0,
        description="Largest share of new rows that repeat an event id, and of the rows of a catalogue or a customer "
        "table that repeat an id.",
    )
    max_bad_cells: Share = Field(
        1.0,
        description="Largest share of the rows of a catalogue or a customer table in which an optional cell (price, "
        "valid_from, the stock flag) cannot be read.",
    )
    max_user_share: Share = Field(
        0.05,
        description="A user with a larger share of all events, or of all successes, and more than ten times the "
        "average of the other users, is named in a warning.",
    )
    left_out_users: tuple[str, ...] = Field(
        (),
        description="Users whose events count for nothing: not for popularity, training or the gate (bots, tests, "
        "resellers). Their rows go to quarantine; a change validates all rows again.",
    )
    tolerated_rows: int = Field(
        10,
        ge=0,
        description="Up to this number, bad new rows never stop a run, even if they exceed a share; they go to "
        "quarantine.",
    )
    max_quantity: float = Field(1e6, gt=0, description="Largest plausible number of units in a row.")
    max_price: float = Field(1e7, gt=0, description="Largest plausible price of a row.")
    no_user: tuple[str, ...] = Field(
        (),
        description="Words that mean nobody in your data, in upper or lower case, such as `0` or `guest`, in addition "
        "to the usual ones (`null`, `NA`, `\\N`, …). Such rows count for popularity only, and the service "
        "knows no such user.",
    )
    earliest_year: int = Field(1990, ge=1900, le=2100, description="First year whose events are plausible.")
    max_gap_days: int = Field(
        30,
        ge=1,
        description="Rows after a gap of more than this number of days go to quarantine, unless they are more than a "
        "few and one of their days has half of a usual day's rows. A few rows more than a year before all "
        "others go there too.",
    )
    min_day_share: Share = Field(
        0.1,
        description="Share of a usual day's rows that a day needs for a run without `--as-of` to stand at it.",
    )
    future_minutes: int = Field(0, ge=0, description="How far ahead of the newest known clock an event time may be.")


class Features(Settings):
    """How features are built."""

    snapshot_days: int = Field(7, ge=1, description="Days between the feature snapshots that training looks back on.")
    ttl_days: int = Field(60, ge=1, description="Age beyond which an online row is no longer served.")
    max_history: int = Field(
        4000, ge=1, description="Longest history kept in a user's row, in distinct items, by recency."
    )
    neighbours: int = Field(20, ge=0, description="Neighbours kept of each item.")
    session_hours: float = Field(
        6.0,
        gt=0,
        description="Hours without a purchase after which the same session id of the same user is another session.",
    )


class Candidates(Settings):
    """How many items each candidate source contributes."""

    history: int = Field(200, ge=0, description="Largest number of the user's own items.")
    popular: int = Field(60, ge=0, description="Largest number of best-selling items.")
    trending: int = Field(10, ge=0, description="Largest number of items that sell faster than before.")
    neighbours: int = Field(30, ge=0, description="Largest number of items bought together with the user's own.")
    category: int = Field(20, ge=0, description="Largest number of best-selling items in the user's categories.")
    new: int = Field(10, ge=0, description="Largest number of items first sold lately.")
    promoted: int = Field(10, ge=0, description="Largest number of items on promotion.")
    seen: int = Field(30, ge=0, description="Largest number of items that the user looked at last.")


class Training(Settings):
    """How the ranker is trained."""

    snapshots: int = Field(8, ge=1, description="Weeks (horizons) of training requests before the validation one.")
    max_requests: int = Field(
        40_000, ge=1, description="Largest number of training requests; beyond it requests are sampled by seed."
    )
    impressions: float = Field(
        0.2,
        ge=0,
        description="Largest number of logged requests (impressions) to train on for each weekly request; 0 uses none.",
    )
    min_requests: int = Field(
        200, ge=1, description="Smallest number of training requests; with fewer, the run ends with a baseline bundle."
    )
    rounds: int = Field(100, ge=1, description="Largest number of trees of the pairwise model.")
    logit_rounds: int = Field(150, ge=1, description="Largest number of trees of the logistic model.")
    seed: int = Field(7, description="Seed of every random choice.")
    tuning_trials: int = Field(
        0, ge=0, description="Optuna trials over the model's parameters, compared on the validation slice; 0 is none."
    )
    threads: int = Field(2, ge=1, description="Threads of training; another number can give another model.")
    stop_after: int = Field(
        60, ge=1, description="Training stops after so many trees without a validation NDCG near the best."
    )
    depth: int = Field(5, ge=1, le=12, description="Depth of a tree.")
    learning_rate: float = Field(0.1, gt=0, le=1, description="Share of each tree's correction that is used.")
    columns_per_tree: float = Field(0.15, gt=0, le=1, description="Share of the features that each tree may use.")
    min_child_weight: float = Field(10.0, ge=0, description="Smallest sum of second derivatives in a leaf.")
    l2: float = Field(5.0, ge=0, description="L2 penalty on the leaves.")
    pairs: int = Field(
        20, ge=1, description="Number of places at the top of each list from which the pairs of a round are drawn."
    )
    bins: int = Field(64, ge=2, description="Bins that each feature's values are sorted into.")
    logit_weight: float = Field(
        1.0, ge=0, description="Weight of the logistic model beside the pairwise one; 0 trains the pairwise one alone."
    )


class Gate(Settings):
    """What a challenger must show to be promoted."""

    heldout_horizons: int = Field(3, ge=1, description="Held-out weeks (horizons) on which all contenders are scored.")
    min_users: int = Field(100, ge=1, description="Smallest number of held-out users for a verdict; at least two.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Confidence of the bootstrap intervals.")
    resamples: int = Field(2000, ge=100, description="Bootstrap resamples over users.")
    champion_margin: Share = Field(0.01, description="Relative loss against the champion that is still not inferior.")
    slice_allowance: Share = Field(0.05, description="Largest relative loss in any named slice, unless within noise.")
    min_slice_users: int = Field(50, ge=1, description="Smallest number of users of a slice for a verdict on it.")
    min_coverage: Share = Field(
        0.0, description="Smallest share of the merchandise sold in the training weeks that the lists must show."
    )
    max_coverage_loss: Share = Field(0.5, description="Largest relative loss of coverage against the best baseline.")
    latency_budget_ms: float = Field(
        50.0, gt=0, description="Median time to score one request of held-out candidates, one thread."
    )
    max_constant_gain: Share = Field(
        0.2, description="Largest share of gain on features that do not vary within a request."
    )


class Drift(Settings):
    """When a window counts as drifted."""

    window_days: int | None = Field(
        None, ge=1, description="Days of the live window, from one horizon to all held-out ones. Default: one horizon."
    )
    psi: float = Field(0.2, gt=0, description="Population stability index beyond which a column has drifted.")
    ks: float = Field(0.1, gt=0, description="Kolmogorov-Smirnov distance beyond which a column has drifted.")
    missing: Share = Field(0.05, description="Change of the missing share beyond which a column has drifted.")
    new_categories: Share = Field(
        0.05, description="Share of rows in new or vanished categories beyond which a column has drifted."
    )
    quality: Share = Field(0.1, description="Relative loss of NDCG beyond which quality has drifted.")
    min_users: int = Field(
        100, ge=1, description="Smallest number of users of a window, and of the reference, for a verdict on drift."
    )
    page_columns: int = Field(
        15, ge=0, le=100, description="Columns on Evidently's page of the report, those that moved most; 0: no page."
    )


class Shop(Settings):
    """A whole shop file."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the shop: one home, one Feast project.")
    time_zone: str = Field("UTC", description="Zone of naive times and of the day's end.")
    currency: str = Field("", description="Currency sign or code, for reports.")
    success: tuple[EventType, ...] = Field(
        ("purchase",), min_length=1, description="Event types that count as success."
    )
    horizon_days: int = Field(7, ge=1, description="Days after a request in which success is looked for.")
    k: int = Field(10, ge=1, le=1000, description="Length of a recommended list; the gate's NDCG is cut here.")
    events: tuple[EventSource, ...] = Field(min_length=1, description="The sources of events.")
    items: ItemSource | None = Field(None, description="The catalogue, if there is one.")
    users: UserSource | None = Field(None, description="Demographics, if there are any.")
    promotions: PromotionSource | None = Field(None, description="Promotions, if there are any.")
    impressions: ImpressionSource | None = Field(None, description="Logged impressions, if there are any.")
    rules: Rules = Field(default_factory=Rules, description="What may be recommended.")
    contract: Contract = Field(default_factory=Contract, description="The data contract's limits.")
    features: Features = Field(default_factory=Features, description="How features are built.")
    candidates: Candidates = Field(
        default_factory=Candidates, description="How many items each candidate source contributes."
    )
    training: Training = Field(default_factory=Training, description="How the ranker is trained.")
    gate: Gate = Field(default_factory=Gate, description="What a challenger must show.")
    drift: Drift = Field(default_factory=Drift, description="When a window counts as drifted.")
    feedback: FeedbackSource = Field(
        default_factory=FeedbackSource, description="How the service's log is ingested and kept."
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return known_zone(value)

    @model_validator(mode="after")
    def _distinct_sources(self) -> Self:
        names = [source.name for source in self.events]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"two sources of events are called {repeated[0]!r}; give each its own name")
        if SERVED_SOURCE in names:
            raise ValueError(f"a source of events is called {SERVED_SOURCE!r}, as the service's own is; rename it")
        return self

    @model_validator(mode="after")
    def _known_rule_columns(self) -> Self:
        known = {"item", *self.item_columns}
        unknown = sorted(set(self.rules.not_merchandise) - known)
        if unknown:
            raise ValueError(
                f"rules.not_merchandise: found the column {unknown[0]!r}, expected one of {', '.join(sorted(known))}"
            )
        attributes = self.items.attributes if self.items else ()
        if self.rules.in_stock_only is not None and self.rules.in_stock_only not in attributes:
            raise ValueError(
                f"rules.in_stock_only: found {self.rules.in_stock_only!r}, expected one of items.attributes "
                f"({', '.join(attributes) or 'there are none'})"
            )
        return self

    @model_validator(mode="after")
    def _stock_words_with_their_flag(self) -> Self:
        rules = self.rules
        if rules.in_stock_only is None and (rules.in_stock_words or rules.out_of_stock_words):
            raise ValueError(
                "rules.in_stock_words, rules.out_of_stock_words: found words for a stock flag, but "
                "rules.in_stock_only names no attribute that holds it; name it, or leave the words out"
            )
        return self

    @model_validator(mode="after")
    def _judgeable_window(self) -> Self:
        if self.drift.window_days is not None:
            self.check_window("drift.window_days", self.drift.window_days)
        return self

    def check_window(self, name: str, days: int) -> None:
        """Refuse a drift window without known outcomes, or with requests that were trained on, by ``ValueError``."""
        least, most = self.horizon_days, self.gate.heldout_horizons * self.horizon_days
        if not least <= days <= most:
            raise ValueError(
                f"{name}: found {days} days, expected {least} (horizon_days: of younger requests no outcome is known)"
                f" to {most} (gate.heldout_horizons: older requests are not held out)"
            )

    @property
    def zone(self) -> ZoneInfo:
        """Return the shop's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def item_columns(self) -> tuple[str, ...]:
        """Catalogue columns that the shop file maps, by their names in the source."""
        if self.items is None:
            return ()
        single = (self.items.item, self.items.brand, self.items.price, self.items.title)
        return tuple(dict.fromkeys([*filter(None, single), *self.items.category, *self.items.attributes]))


def load_shop(path: Path) -> Shop:
    """Read a shop file; a relative source path is resolved against the file's folder.

    Raises:
        ConfigurationError: the file is missing, is not TOML, or a key is wrong; the message names the key.
    """
    try:
        return Shop.model_validate(read_document(path), context={"folder": path.resolve().parent})
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {describe_mistakes(error, Shop)}") from error
