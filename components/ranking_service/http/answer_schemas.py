"""What callers are answered, for the document: the routes build it themselves, a test holds the two equal."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from components.experiments.experiment import ArmName
from components.ranking_service.answering.answers import Fallback
from components.ranking_service.answering.recommender import MOST_EXPLAINED


class Told(BaseModel):
    """A JSON object that holds what is named here, and nothing else."""

    model_config = ConfigDict(extra="forbid")


class Problem(Told):
    """Why a request was not answered (RFC 9457)."""

    type: Literal["about:blank"]
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What was found and what was expected.")


class Ranked(Told):
    """One place of a list. Title, category and reasons are there when the request said `explain`."""

    item_id: str
    score: float | None = Field(description="Higher is better, within one answer; null for an item that is not known.")
    title: str = ""
    category: str | None = None
    reasons: list[str] = Field(
        [], description=f"What spoke most for the item, in the shop's words; of the best {MOST_EXPLAINED} items only."
    )


class RankedList(Told):
    """A ranked list, best first."""

    request_id: str = Field(description="Send it with every event that answers this list.")
    bundle: str | None = Field(description="Digest of the bundle that ranked; null: there was nothing to rank with.")
    arm: ArmName
    experiment: str | None = Field(description="Name of the experiment that chose the arm.")
    fallback: Fallback | None = Field(description="What the answer had to do without.")
    items: list[Ranked]


class EventsTaken(Told):
    """Events that are on disk now."""

    accepted: int
    repeated: int = Field(description="Events whose id was known already; they are not taken again.")


class Arm(Told):
    """One way of ranking."""

    name: ArmName
    bundle: str | None
    share: float = Field(description="Of the customers.")


class Shop(Told):
    """What there is to choose from."""

    shop: str
    environment: str
    k: int
    arms: list[Arm]
    sources: list[str]
    rules: dict[str, Any]
    categories: list[str]


class Customers(Told):
    """Ids of customers, sorted."""

    customers: list[str]


class Bought(Told):
    """A product that a customer bought."""

    item_id: str
    title: str
    category: str | None
    trips: int
    days_since_last: float


class Customer(Told):
    """What a customer bought, newest first."""

    user_id: str
    known: bool
    bought: list[Bought]
