"""What answers come from at one time: the arms over one moment's items. It is replaced whole, never changed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from components.experiments.experiment import CHAMPION, ArmName, Experiment
from components.ranking_service.answering.answers import Fallback, RankingQuery
from components.ranking_service.answering.catalogue import Catalogue
from components.ranking_service.answering.recommender import Prepared, Recommender
from components.ranking_service.live.arms import arm_of, shadow_of
from components.ranking_service.page.storefront import Storefront


@dataclass(frozen=True)
class LiveState:
    """``arms`` has at least a champion; ``trouble`` says in words what is wrong, by the part that it is about.

    ``unverified`` are the arms whose bundle is refused, for its content or its signature is not what was published.
    """

    arms: Mapping[ArmName, Recommender]
    experiment: Experiment | None
    catalogue: Catalogue
    storefront: Storefront
    items_at: int  # event time of the newest item row, microseconds since 1970
    trouble: Mapping[str, str]
    unverified: Collection[str] = ()

    def is_like(self, other: "LiveState") -> bool:
        """Whether another state gives the same answers and reports the same trouble."""
        return (self.arms, self.experiment, self.trouble) == (other.arms, other.experiment, other.trouble)

    @property
    def champion(self) -> Recommender:
        """The recommender of the promoted bundle."""
        return self.arms[CHAMPION]

    def prepare(self, query: RankingQuery) -> Prepared:
        """Prepare a query by the arm that ranks for its user, or by the champion where that arm is unavailable."""
        arm = self.arm_for(query.user_id, query.arm)
        recommender, is_own = self.recommender(arm)
        prepared = recommender.prepare(query)
        prepared.arm, prepared.arm_fallback = arm, None if is_own else Fallback.ARM_UNAVAILABLE
        prepared.experiment = self.experiment.name if self.experiment else None
        return prepared

    def arm_for(self, user_id: str, forced: ArmName | None = None) -> ArmName:
        """The arm that ranks for a user: the one asked for, else the experiment's."""
        return forced or arm_of(self.experiment, user_id)

    def recommender(self, arm: ArmName) -> tuple[Recommender, bool]:
        """The recommender of an arm; the champion's, and False, where the arm's bundle could not be opened."""
        return (self.arms[arm], True) if arm in self.arms else (self.champion, False)

    def shadow_for(self, request_id: str, arm: ArmName) -> ArmName | None:
        """The arm that ranks a request unseen, if one does and can."""
        shadow = shadow_of(self.experiment, request_id, arm)
        return shadow if shadow in self.arms else None

    @cached_property
    def codes(self) -> Mapping[str, int]:
        """Item codes by item id."""
        items = self.champion.pool.items
        return dict(zip(items.item_ids.tolist(), items.codes.tolist(), strict=True))
