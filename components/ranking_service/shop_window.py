"""What the page is told of the service, from what is live."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from components.contracts.experiment import CHAMPION, ArmName, Experiment
from components.contracts.tombstones import Mark, Tombstones
from components.ranking.candidates import SOURCES
from components.ranking_service.catalogue import Catalogue
from components.ranking_service.purchases import Bought, purchases
from components.ranking_service.recommender import Recommender
from components.ranking_service.settings import ServiceSettings
from components.ranking_service.storefront import Arm, Storefront

MOST_BOUGHT = 200


def storefront_of(
    settings: ServiceSettings,
    shop: str,
    arms: Mapping[ArmName, Recommender],
    experiment: Experiment | None,
    catalogue: Catalogue,
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

    forgotten = Tombstones(settings.home.tombstones)

    @lru_cache(maxsize=1)
    def customers(_: Mark | None) -> Sequence[str]:
        return [user_id for user_id in champion.rows.user_ids() if user_id not in forgotten]

    def known_customers() -> Sequence[str]:
        forgotten.follow()
        return customers(forgotten.mark)

    return Storefront(
        shop=shop,
        environment=settings.environment,
        k=manifest.k,
        arms=[Arm(name, found.bundle.digest, shares.get(name, 0.0)) for name, found in arms.items()],
        sources=SOURCES,
        rules=manifest.rules,
        categories=catalogue.sections(champion.stock.allowed),
        customers=known_customers,
        bought=bought,
    )
