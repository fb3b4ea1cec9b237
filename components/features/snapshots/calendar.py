"""When requests of each split stand, and which snapshots they need."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from components.shop.settings import Shop


@dataclass(frozen=True)
class Calendar:
    """Request times of a run that stands at ``as_of``, each list oldest first; outcomes of each fill one horizon."""

    as_of: datetime
    horizon: timedelta
    snapshot_every: timedelta
    train: tuple[datetime, ...]
    validation: tuple[datetime, ...]
    heldout: tuple[datetime, ...]

    @property
    def requests(self) -> dict[str, tuple[datetime, ...]]:
        """Request times by split."""
        return {"train": self.train, "validation": self.validation, "heldout": self.heldout}

    @property
    def learned(self) -> tuple[datetime, datetime]:
        """The span that outcomes of training and validation fill."""
        return self.train[0], self.train_end

    @property
    def train_end(self) -> datetime:
        """The end of the last outcome that training or validation may see: where the held-out weeks begin."""
        return self.heldout[0]

    def snapshot_day(self, request: datetime) -> datetime:
        """The newest snapshot not after a request; snapshots are counted back from the as-of."""
        steps = -((self.as_of - request) // -self.snapshot_every)
        return self.as_of - steps * self.snapshot_every

    @property
    def snapshot_days(self) -> tuple[datetime, ...]:
        """The snapshots that all requests and the as-of itself need, oldest first."""
        requests = (*self.train, *self.validation, *self.heldout, self.as_of)
        return tuple(sorted({self.snapshot_day(request) for request in requests}))


def calendar(shop: Shop, as_of: datetime) -> Calendar:
    """Lay out a run's requests: held-out weeks before the as-of, one validation week, training weeks before that."""
    horizon, held = timedelta(days=shop.horizon_days), shop.gate.heldout_horizons
    back = [as_of - step * horizon for step in range(held + 1 + shop.training.snapshots, 0, -1)]
    return Calendar(
        as_of=as_of,
        horizon=horizon,
        snapshot_every=timedelta(days=shop.features.snapshot_days),
        train=tuple(back[: shop.training.snapshots]),
        validation=(back[shop.training.snapshots],),
        heldout=tuple(back[shop.training.snapshots + 1 :]),
    )
