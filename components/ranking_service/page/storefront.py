"""What the storefront page shows of the service, made whenever something else becomes live."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Any

from pydantic import Field

from components.experiments.experiment import CHAMPION, ArmName, Experiment
from components.home.storage.documents import Stamp
from components.home.tombstones import TombstoneView
from components.ranking.candidates import SOURCES
from components.ranking_service.answering.catalogue import Catalogue
from components.ranking_service.answering.online_rows import OnlineRows
from components.ranking_service.answering.purchases import PastPurchase, purchases
from components.ranking_service.answering.recommender import Recommender
from components.ranking_service.settings import ServiceSettings

MAX_BOUGHT = 200


@dataclass(frozen=True)
class Arm:
    """One way of ranking."""

    name: ArmName
    bundle: str | None
    share: Annotated[float, Field(description="Of the customers.")]


@dataclass(frozen=True)
class Shop:
    """What there is to choose from."""

    shop: str
    environment: str
    k: int
    arms: Sequence[Arm]
    sources: Sequence[str]
    rules: Mapping[str, Any]
    categories: Sequence[str]


@dataclass(frozen=True)
class Storefront:
    """What the page shows.

    ``customers`` returns all known ids, sorted. ``bought`` returns a customer's purchases, newest first, or None for an
    unknown one. Both raise StoreError when the store cannot be read.
    """

    shop: Shop
    customers: Callable[[], Sequence[str]]
    bought: Callable[[str], Sequence[PastPurchase] | None]


def storefront_of(
    settings: ServiceSettings,
    shop: str,
    arms: Mapping[ArmName, Recommender],
    experiment: Experiment | None,
    catalogue: Catalogue,
    forgotten: TombstoneView,
) -> Storefront:
    """Describe the arms, and read customers when they are asked for."""
    champion = arms[CHAMPION]
    shares = experiment.shares if experiment else {CHAMPION: 1.0}
    manifest = champion.bundle.manifest

    def bought(user_id: str) -> Sequence[PastPurchase] | None:
        user = champion.known_user(user_id)
        if user is None:
            return None
        return purchases(user, champion.pool.items.item_ids, catalogue, MAX_BOUGHT)

    described = Shop(
        shop=shop,
        environment=settings.environment,
        k=manifest.k,
        arms=[Arm(name, arm.bundle.digest, shares.get(name, 0.0)) for name, arm in arms.items()],
        sources=SOURCES,
        rules=manifest.rules,
        categories=catalogue.sections(champion.pool.allowed),
    )
    return Storefront(described, _Customers(champion.rows, forgotten), bought)


class _Customers:
    """Ids of the users that have rows, sorted, without those who were forgotten; any thread may ask.

    One read of the store serves all who wait for it, also with its error; the next caller after an error reads again.
    """

    def __init__(self, rows: OnlineRows, forgotten: TombstoneView) -> None:
        self._rows, self._forgotten = rows, forgotten
        self._choosing = Lock()
        self._read: tuple[Stamp | None, Future[Sequence[str]]] | None = None

    def __call__(self) -> Sequence[str]:
        """Read the ids unless they are known.

        Raises:
            StoreError: the store cannot be reached.
        """
        read, is_ours = self._newest(self._forgotten.follow())
        if is_ours:
            try:
                read.set_result([user_id for user_id in self._rows.user_ids() if user_id not in self._forgotten])
            except BaseException as error:
                read.set_exception(error)
        return read.result()

    def _newest(self, stamp: Stamp | None) -> tuple[Future[Sequence[str]], bool]:
        """The read to wait for, and whether it is the caller's to do."""
        with self._choosing:
            if self._read is not None and self._read[0] == stamp and not _has_failed(self._read[1]):
                return self._read[1], False
            self._read = stamp, Future()
            return self._read[1], True


def _has_failed(read: Future[Sequence[str]]) -> bool:
    return read.done() and read.exception() is not None
