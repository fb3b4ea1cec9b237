"""What the page is told of the service, from what is live."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from threading import Lock

from components.experiments.experiment import CHAMPION, ArmName, Experiment
from components.home.presence import FileStamp
from components.home.tombstones import TombstoneView
from components.ranking.candidates import SOURCES
from components.ranking_service.answering.catalogue import Catalogue
from components.ranking_service.answering.online_rows import OnlineRows
from components.ranking_service.answering.purchases import Bought, purchases
from components.ranking_service.answering.recommender import Recommender
from components.ranking_service.page.storefront import Arm, Storefront
from components.ranking_service.settings import ServiceSettings

MOST_BOUGHT = 200


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

    def bought(user_id: str) -> Sequence[Bought] | None:
        found = champion.known_user(user_id)
        if found is None:
            return None
        return purchases(found, champion.stock.items.item_ids, catalogue, MOST_BOUGHT)

    return Storefront(
        shop=shop,
        environment=settings.environment,
        k=manifest.k,
        arms=[Arm(name, found.bundle.digest, shares.get(name, 0.0)) for name, found in arms.items()],
        sources=SOURCES,
        rules=manifest.rules,
        categories=catalogue.sections(champion.stock.allowed),
        customers=_Customers(champion.rows, forgotten),
        bought=bought,
    )


class _Customers:
    """Ids of the users that have rows, sorted, without those who were forgotten; any thread may ask.

    One read of the store serves all who wait for it, also with its error; the next caller after an error reads again.
    """

    def __init__(self, rows: OnlineRows, forgotten: TombstoneView) -> None:
        self._rows, self._forgotten = rows, forgotten
        self._choosing = Lock()
        self._read: tuple[FileStamp | None, Future[Sequence[str]]] | None = None

    def __call__(self) -> Sequence[str]:
        """Read the ids unless they are known.

        Raises:
            StoreError: the store cannot be reached.
        """
        found, is_ours = self._newest(self._forgotten.follow())
        if is_ours:
            try:
                found.set_result([user_id for user_id in self._rows.user_ids() if user_id not in self._forgotten])
            except BaseException as error:
                found.set_exception(error)
        return found.result()

    def _newest(self, stamp: FileStamp | None) -> tuple[Future[Sequence[str]], bool]:
        """The read to wait for, and whether it is the caller's to do."""
        with self._choosing:
            if self._read is not None and self._read[0] == stamp and not _has_failed(self._read[1]):
                return self._read[1], False
            self._read = stamp, Future()
            return self._read[1], True


def _has_failed(read: Future[Sequence[str]]) -> bool:
    return read.done() and read.exception() is not None
