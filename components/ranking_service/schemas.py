"""What callers send, with its limits."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST_ITEMS = 1000
Id = Annotated[str, Field(min_length=1, max_length=256)]
Ids = Annotated[list[Id], Field(max_length=MOST_ITEMS)]


class Request(BaseModel):
    """What every request says; a field that nobody knows is a mistake of the caller."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    user_id: Id
    explain: bool = False


class RecommendRequest(Request):
    """Ask for a user's list; ``k`` is the bundle's when it is not given."""

    k: Annotated[int, Field(ge=1, le=MOST_ITEMS)] | None = None
    exclude: Ids = []


class RankRequest(Request):
    """Ask for the order of given items."""

    items: Ids
