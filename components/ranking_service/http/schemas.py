"""What callers send, with its limits."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from components.contracts.feedback import ServedType
from components.contracts.ids import MAX_ID_CHARACTERS, id_of, id_text
from components.experiments.experiment import ArmName
from components.ranking.candidates import SOURCES

MAX_ITEMS = 1000
MAX_VIEWED = 100
MAX_NAMES = 200
MAX_LEVELS = 20  # of a category's path
MAX_EVENTS = 500  # a batch
MAX_CONTEXT = 20  # entries
MAX_CHARACTERS = 256  # of a text in the context
FUTURE_SECONDS = 300  # by so much a caller's clock may be ahead
IN_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"  # as ``CONTROLS`` of ``contracts.ids``


def _id_text(value: object) -> object:
    """Return an id as the lake writes it; what is no text is left to the check of the type."""
    return id_text(value) if isinstance(value, str) else value


def _known_id(value: str) -> str:
    if id_of(value) is None:
        raise PydanticCustomError("no_id", "expected an id, not a word for nothing")
    return value


ID_DOCUMENT = {
    "type": "string",
    "minLength": 1,
    "description": f"Read without blanks at its ends, `7.0` as `7`: 1 to {MAX_ID_CHARACTERS} characters in one line.",
}
"""What callers read of an id: limits of the text as it is sent would refuse what the service trims and takes."""

Id = Annotated[
    str,
    Field(min_length=1, max_length=MAX_ID_CHARACTERS, pattern=IN_ONE_LINE),
    BeforeValidator(_id_text),
    WithJsonSchema(ID_DOCUMENT),
]
KnownId = Annotated[Id, AfterValidator(_known_id)]
ListId = Annotated[str, Field(min_length=1, max_length=128, pattern=IN_ONE_LINE)]  # the service's have 113 at most
Ids = Annotated[list[Id], Field(max_length=MAX_ITEMS)]
Name = Annotated[str, Field(min_length=1, max_length=256)]
Names = Annotated[list[Name], Field(min_length=1, max_length=MAX_NAMES)]
Category = Name | Annotated[list[Name], Field(min_length=1, max_length=MAX_LEVELS)]
Source = Literal[SOURCES]  # type: ignore[valid-type]


def _one_error(value: object, check: ValidatorFunctionWrapHandler) -> object:
    """Say what is expected in one sentence; a union's own errors name one of its types each, as if it were the only."""
    try:
        return check(value)
    except ValidationError:
        expected = f"expected a text of at most {MAX_CHARACTERS} characters, a finite number, a boolean or null"
        raise PydanticCustomError("plain_value", expected) from None


Plain = Annotated[
    Annotated[str, Field(max_length=MAX_CHARACTERS)] | bool | int | Annotated[float, Field(allow_inf_nan=False)] | None,
    WrapValidator(_one_error),
]


class Document(BaseModel):
    """A JSON object; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Context(BaseModel):
    """Where the request comes from: ``items`` are those that the user looks at; further plain values are logged."""

    model_config = ConfigDict(
        extra="allow", strict=True, frozen=True, json_schema_extra={"maxProperties": MAX_CONTEXT + 2}
    )
    __pydantic_extra__: dict[str, Plain]

    session_id: Id | None = None
    items: Annotated[list[Id], Field(max_length=MAX_VIEWED)] = []

    @model_validator(mode="after")
    def _small(self) -> "Context":
        extra = self.__pydantic_extra__ or {}
        if len(extra) > MAX_CONTEXT or any(len(name) > 64 for name in extra):
            raise ValueError(f"at most {MAX_CONTEXT} further values, with names of at most 64 characters")
        return self


class Filters(Document):
    """What the list may hold; a category is named by one level of its path, or by the path down to a level: joined by
    `` / ``, or as a list of its levels.

    Without ``in_stock_only`` the shop's rule holds; false sets it aside.
    """

    categories: Annotated[list[Category], Field(min_length=1, max_length=MAX_NAMES)] | None = None
    brands: Names | None = None
    max_price: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    in_stock_only: bool | None = None
    max_per_category: Annotated[int, Field(ge=1, le=MAX_ITEMS)] | None = None
    sources: Annotated[list[Source], Field(min_length=1, max_length=len(SOURCES))] | None = None


class Request(Document):
    """What every request for a ranking says; ``arm`` asks for a preview, which is neither logged nor counted."""

    user_id: Id
    context: Context | None = None
    arm: ArmName | None = None
    explain: bool = False


class RecommendRequest(Request):
    """Ask for a user's list; ``k`` is the bundle's when it is not given."""

    k: Annotated[int, Field(ge=1, le=MAX_ITEMS)] | None = None
    exclude: Ids = []
    filters: Filters | None = None


class RankRequest(Request):
    """Ask for the order of given items."""

    items: Ids


def _time_text(value: object) -> object:
    if not isinstance(value, str) or "-" not in value[1:]:
        raise ValueError("a time is written as 2018-01-01T12:00:00Z")
    return value


Time = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_time_text)]


class Event(Document):
    """Something that a user did with an item, or was shown; without ``time`` it happened now.

    A user id that is a word for nobody counts for popularity only.
    """

    event_id: Id
    type: ServedType
    user_id: Id
    item_id: KnownId
    time: Time | None = None
    quantity: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | None = None
    price: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = None
    session_id: Id | None = None
    request_id: ListId | None = None


class EventsRequest(Document):
    """Events that belong together: all of them are taken, or none."""

    events: Annotated[list[Event], Field(min_length=1, max_length=MAX_EVENTS)]
