"""The request times of each split, and the snapshots that they need."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from components.shop.settings import Shop


@dataclass(frozen=True)
class Calendar:
    """Request times of a run at ``as_of``, each list oldest first; the outcomes of a request span one horizon."""

    as_of: datetime
    horizon: timedelta
    snapshot_every: timedelta
    train: tuple[datetime, ...]
    validation: tuple[datetime, ...]
    heldout: tuple[datetime, ...]

    @property
    def requests(self) -> dict[str, tuple[datetime, ...]]:
        """Return request times by split."""
        return {"train": self.train, "validation": self.validation, "heldout": self.heldout}

    @property
    def learned(self) -> tuple[datetime, datetime]:
        """Return the span of the outcomes of training and validation."""
        return self.train[0], self.train_end

    @property
    def train_end(self) -> datetime:
        """Return the end of the last outcome of training and validation: the beginning of the held-out weeks."""
        return self.heldout[0]

    def snapshot_day(self, request: datetime) -> datetime:
        """Return the newest snapshot not after a request; snapshots are counted back from the as-of."""
        steps = -((self.as_of - request) // -self.snapshot_every)
        return self.as_of - steps * self.snapshot_every

    @property
    def snapshot_days(self) -> tuple[datetime, ...]:
        """Return the snapshots that all requests and the as-of itself need, oldest first."""
        requests = (*self.train, *self.validation, *self.heldout, self.as_of)
        return tuple(sorted({self.snapshot_day(request) for request in requests}))


def calendar(shop: Shop, as_of: datetime) -> Calendar:
    """Lay out a run's requests: held-out weeks before the as-of, one validation week, training weeks before that."""
    horizon, heldout = timedelta(days=shop.horizon_days), shop.gate.heldout_horizons
    times = [as_of - step * horizon for step in range(heldout + 1 + shop.training.snapshots, 0, -1)]
    return Calendar(
        as_of=as_of,
        horizon=horizon,
        snapshot_every=timedelta(days=shop.features.snapshot_days),
        train=tuple(times[: shop.training.snapshots]),
        validation=(times[shop.training.snapshots],),
        heldout=tuple(times[shop.training.snapshots + 1 :]),
    )
