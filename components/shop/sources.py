"""The part of the shop file that says where data are and which of their columns are the canonical ones."""

from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

EventType = Literal["view", "click", "add_to_cart", "purchase", "return"]
Share = Annotated[float, Field(ge=0, le=1)]
Columns = Annotated[tuple[str, ...], BeforeValidator(lambda names: (names,) if isinstance(names, str) else names)]
PACKAGE = "package:"  # before a path inside an installed Python package
SQLITE = "sqlite:///"


@cache  # it looks through the machine's files of zones
def zone_names() -> frozenset[str]:
    """Return the IANA names of zones that this machine knows."""
    return frozenset(available_timezones())


def known_zone(value: str) -> str:
    """Return a zone's name, or refuse it by ``ValueError``."""
    if value not in zone_names():
        raise ValueError(f"no time zone is called {value!r}; use an IANA name such as Europe/Berlin")
    return value


class Settings(BaseModel):
    """A frozen section of the shop file; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


CSV_KEYS = ("delimiter", "quote", "escape")
LINE_BREAKS = ("\r", "\n")


def one_character(value: str | None, info: ValidationInfo) -> str | None:
    """Return a sign of one character, or refuse it by ``ValueError``; ``quote`` may be nothing."""
    if value is not None and len(value) != 1 and not (info.field_name == "quote" and not value):
        raise ValueError(f"found {value!r}, expected one character")
    if value is not None and value in LINE_BREAKS:
        raise ValueError(f"found {value!r}, expected a character that is no line break")
    return value


class CellSource(Settings):
    """What sources of every kind say: how their cells are read."""

    decimal: str = Field(
        ".",
        description="The decimal sign of numbers in text, such as `,`. Nothing is guessed: `2,55` is unreadable unless "
        "this is set.",
    )
    thousands: str | None = Field(
        None,
        description="The sign between groups of digits in numbers in text, such as `,`, `.`, `'` or a space. By itself "
        "none: `1,250.00` is unreadable unless this is set.",
    )
    time_format: str | None = Field(
        None,
        description="How times are written, as text or as whole numbers: a strptime format such as `%m/%d/%Y %H:%M` or "
        "`%Y%m%d`, or `seconds`, `milliseconds` or `microseconds` since 1970. Without it times are timestamps, dates "
        "or ISO 8601 text.",
    )
    time_zone: str | None = Field(
        None,
        description="Zone of this source's times that carry none, such as `UTC`; without it the shop's. Parquet's "
        "INT96 (Spark, Impala) are instants in UTC unless a zone is given here.",
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return None if value is None else known_zone(value)

    @property
    def zone(self) -> ZoneInfo | None:
        """Return the zone of its own, if it has one."""
        return None if self.time_zone is None else ZoneInfo(self.time_zone)

    @model_validator(mode="before")
    @classmethod
    def _keys_of_its_kind(cls, written: Any) -> Any:
        """Refuse a source that does not say where it lies, and keys of another kind."""
        if not isinstance(written, dict):
            return written
        required = [key for key, field in cls.model_fields.items() if key != "kind" and field.is_required()]
        if not all(written.get(key) for key in required):
            needed = " and ".join(f"`{key}`" for key in required)
            raise ValueError(f"a source of kind `{written.get('kind')}` needs {needed}")
        for other in SHOP_KINDS:
            for key in written.keys() & other.model_fields.keys() - cls.model_fields.keys():
                kinds = " and ".join(f"`{kind}`" for kind in get_args(other.model_fields["kind"].annotation))
                raise ValueError(f"`{key}` is a key of {kinds} sources, and this one is of kind `{written['kind']}`")
        return written

    _one_sign = field_validator("decimal", "thousands")(one_character)

    @model_validator(mode="after")
    def _distinct_signs(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError(f"`decimal` and `thousands` are both {self.decimal!r}; give two characters")
        for sign in (self.decimal, self.thousands or self.decimal):
            if sign.isalnum() or sign in "+-":
                raise ValueError(f"found {sign!r} for `decimal` or `thousands`, expected a sign such as `,` or `.`")
        return self


def absolute_path(path: str, info: ValidationInfo) -> str:
    """Resolve a relative path against the folder of the shop file, which is the context of a validation."""
    if info.context is None or path.startswith(PACKAGE) or "://" in path:
        return path
    return str(info.context["folder"] / path)


class FileSource(CellSource):
    """Parquet or CSV files."""

    kind: Literal["parquet", "csv"] = Field(description="Kind of source.")
    path: str = Field(
        description="A file, folder or glob, relative to the shop file; `package:NAME/FILE` is a file inside an "
        "installed Python package; `s3://BUCKET/…` lies in a bucket.",
    )
    encoding: str = Field(
        "utf-8",
        description="CSV: its character encoding, such as `windows-1252` or `utf-16`. By itself a byte order mark is "
        "recognised (UTF-8, UTF-16, UTF-32), and UTF-16 without one; text that is not in this encoding is an error.",
    )
    delimiter: str | None = Field(
        None,
        description="CSV: the character between cells. By itself that of `,`, `;`, tab and `|` which stands most often "
        "outside quotes in the header; a first line `sep=;` says it too.",
    )
    quote: str = Field(
        '"',
        description='CSV: the character around cells that hold delimiters, line breaks or quotes; `""` (nothing) for '
        'files without one. Nothing is guessed: it is `"` unless set.',
    )
    escape: str | None = Field(
        None,
        description="CSV: the character before a quote within quotes, such as `\\\\`. By itself the quote, doubled.",
    )

    _absolute_path = field_validator("path")(absolute_path)
    _one_character = field_validator("delimiter", "quote", "escape")(one_character)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            "a".encode(value)
        except (LookupError, ValueError) as error:
            raise ValueError(f"found {value!r}, expected an encoding such as utf-8, windows-1252 or utf-16") from error
        return value

    @model_validator(mode="after")
    def _keys_of_csv(self) -> Self:
        if self.delimiter is not None and self.delimiter == self.quote:
            raise ValueError(f"`delimiter` and `quote` are both {self.quote!r}; give two characters")
        written = [key for key in CSV_KEYS if key in self.model_fields_set]
        if written and self.kind != "csv":
            raise ValueError(f"`{written[0]}` is a key of `csv` sources, and this one is of kind `{self.kind}`")
        return self


class DeltaSource(CellSource):
    """A Delta table, read by its log."""

    kind: Literal["delta"] = Field(description="Kind of source.")
    path: str = Field(description="The table's folder, relative to the shop file, or `s3://BUCKET/…`.")

    _absolute_path = field_validator("path")(absolute_path)


class SqlSource(CellSource):
    """A table or view of a database."""

    kind: Literal["sql"] = Field(description="Kind of source.")
    url: str = Field(
        description="An SQLAlchemy URL; `${NAME}` is replaced by that environment variable, so that secrets stay out "
        "of the file.",
    )
    table: str = Field(description="The table or view to read.")
    cursor: str | None = Field(
        None,
        description="A column that only grows (an id, a change time); rows beyond the last committed value "
        "are read, with a window of a day (of 10,000) behind it and all rows without a value. Without it the whole "
        "table is read each time.",
    )

    @field_validator("url")
    @classmethod
    def _absolute_database(cls, url: str, info: ValidationInfo) -> str:
        """Resolve the file of a relative SQLite URL against the folder of the shop file."""
        if info.context is None or not url.startswith(SQLITE) or url == SQLITE:
            return url
        return SQLITE + str(info.context["folder"] / url.removeprefix(SQLITE))


class FeedbackSource(Settings):
    """What becomes of the lists that the service showed, and of the events that came back."""

    kind: Literal["feedback"] = Field("feedback", exclude=True, repr=False)  # no shop file needs to say it
    session_minutes: int = Field(
        30, ge=0, description="How long a list waits for events about it before it is ingested."
    )
    events: tuple[EventType, ...] = Field(
        ("view", "click", "add_to_cart", "purchase"),
        description="Event types that are ingested from the service; leave out those that the shop's own sources "
        "bring, or they count twice.",
    )
    keep_days: int = Field(180, ge=1, description="Days for which the service's own log is kept; ingested rows stay.")


SHOP_KINDS = (FileSource, DeltaSource, SqlSource)
ShopSource = Annotated[FileSource | DeltaSource | SqlSource, Field(discriminator="kind")]
Source = Annotated[FileSource | DeltaSource | SqlSource | FeedbackSource, Field(discriminator="kind")]
"""The kinds of sources; `components.ingest_events.sources` has a reader of each."""


class EventColumns(Settings):
    """Which columns of an event source are the canonical ones."""

    user: str = Field(description="Column of the user id; a row without one counts for popularity only.")
    item: str = Field(description="Column of the item id.")
    time: str = Field(description="Column of the event time; naive times take the shop's zone.")
    event_id: str | None = Field(
        None, description="Column of a unique event id; without it the id is a hash of the row and its occurrence."
    )
    event_type: str | None = Field(None, description="Column of the event type, translated by `types`.")
    quantity: str | None = Field(None, description="Column of the number of units; a negative one is a return.")
    price: Columns = Field(
        (),
        description="Column of the money paid for the row (all units), after discounts; several columns are added up.",
    )
    unit_price: str | None = Field(
        None, description="Column of the money paid for one unit, instead of `price`; it is multiplied by the quantity."
    )
    list_price: Columns = Field(
        (), description="Column of the money the row would have cost without discounts; several columns are added up."
    )
    session: str | None = Field(None, description="Column of the basket, order or session id.")
    request: str | None = Field(None, description="Column of the id of the ranking request that the event answers.")

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        if self.price and self.unit_price:
            raise ValueError("`price` and `unit_price` cannot both be given; keep the one that the source has")
        if self.unit_price and not self.quantity:
            raise ValueError("`unit_price` needs `quantity` to be multiplied by")
        return self


class EventStream(Settings):
    """Events of one origin, such as purchases or browsing: what their rows mean."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the source, unique in the shop.")
    columns: EventColumns = Field(description="Which of its columns are the canonical ones.")
    event_type: EventType | None = Field(None, description="Type of every row, for a source without a type column.")
    types: dict[str, EventType] = Field(
        default_factory=dict, description="Values of the type column and the event types they stand for."
    )
    lag_minutes: int = Field(0, ge=0, description="How long after its event time a row becomes known.")
    live: bool = Field(
        False,
        description="True when rows become known as they are ingested, but for the first load, which is history; "
        "false for history loaded at once.",
    )

    @model_validator(mode="after")
    def _one_type(self) -> Self:
        if bool(self.event_type) == bool(self.columns.event_type):
            raise ValueError(
                "give either `event_type` (one type for every row) or `columns.event_type` (a column), not both or none"
            )
        if self.types and not self.columns.event_type:
            raise ValueError("`types` translates a type column, but `columns.event_type` names none")
        return self

    @property
    def declared_types(self) -> frozenset[EventType]:
        """Return the event types that its rows may have: a type column may hold each, translated or not."""
        return frozenset(get_args(EventType) if self.event_type is None else (self.event_type,))


class EventSource(EventStream):
    """One source of events."""

    source: ShopSource = Field(description="Where its rows are.")


class ItemSource(Settings):
    """The catalogue."""

    source: ShopSource = Field(description="Where its rows are.")
    item: str = Field(description="Column of the item id.")
    category: tuple[str, ...] = Field((), description="Columns of the category path, widest first.")
    brand: str | None = Field(None, description="Column of the brand.")
    price: str | None = Field(None, description="Column of the price of one unit.")
    title: str | None = Field(None, description="Column of the name that people read.")
    attributes: tuple[str, ...] = Field((), description="Further columns to keep, as strings.")
    valid_from: str | None = Field(None, description="Column of the time from which the row holds; without it, always.")


class UserSource(Settings):
    """What is known of users beside their events."""

    source: ShopSource = Field(description="Where its rows are.")
    user: str = Field(description="Column of the user id.")
    attributes: tuple[str, ...] = Field((), description="Columns to keep, as strings.")
    valid_from: str | None = Field(None, description="Column of the time from which the row holds; without it, always.")


class PromotionSource(Settings):
    """Which items were promoted when: exposure, aggregated over places at ingestion."""

    source: ShopSource = Field(description="Where its rows are.")
    item: str = Field(description="Column of the item id.")
    starts: str | None = Field(None, description="Column of the first moment of the promotion.")
    ends: str | None = Field(None, description="Column of the first moment after the promotion.")
    period: str | None = Field(None, description="Column of a period number, instead of `starts` and `ends`.")
    first_period: str | None = Field(None, description="When period 1 starts, such as `2016-12-28`.")
    period_days: int = Field(7, ge=1, description="Length of a period, in days.")
    place: str | None = Field(
        None, description="Column of the store or channel; reach is the share of places that promoted the item."
    )
    known_ahead: bool = Field(
        False, description="True when a promotion is known before it starts and may be used for its own weeks."
    )

    @model_validator(mode="after")
    def _one_calendar(self) -> Self:
        by_times, by_period = bool(self.starts or self.ends), bool(self.period or self.first_period)
        if by_times == by_period:
            raise ValueError("give either `starts` and `ends`, or `period` and `first_period`")
        if by_times and not (self.starts and self.ends):
            raise ValueError("`starts` and `ends` belong together")
        if by_period and not (self.period and self.first_period):
            raise ValueError("`period` and `first_period` belong together")
        return self

    @field_validator("first_period")
    @classmethod
    def _readable_start(cls, value: str | None) -> str | None:
        if value is not None:
            datetime.fromisoformat(value)
        return value


class ImpressionSource(Settings):
    """What earlier rankings showed, one row an item shown."""

    source: ShopSource = Field(description="Where its rows are.")
    request: str = Field(description="Column of the request id.")
    user: str = Field(description="Column of the user id.")
    item: str = Field(description="Column of the item id.")
    time: str = Field(description="Column of the time of the request.")
    position: str = Field(description="Column of the position shown.")
    first_position: Literal[0, 1] = Field(1, description="Position of the first item of a list.")
    score: str | None = Field(None, description="Column of the score that ordered the list.")
    propensity: str | None = Field(None, description="Column of the probability of being shown there.")
    features: str | None = Field(
        None, description="Column of the features as served: a list of float32 in the order of the feature list."
    )
    feature_list: str | None = Field(
        None, description="Column of the hash of the feature list that `features` follows."
    )
