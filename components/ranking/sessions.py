"""What a user did since their row was made, laid over the row: the columns move as the next snapshot would move them.

Purchases of a session are one shopping trip, made now; browsing counts by its age. Estimated are the columns of
``ESTIMATES``, which a snapshot tells from the calendar or from each purchase's own line; all others are what a snapshot
of this moment holds of a user who takes nothing back.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from components.contracts.moments import DAY_MICROSECONDS
from components.ranking.grouping import sums_by_key
from components.ranking.rows import MISSING_POSITION, Floats, ItemRows, Positions, Ragged, UserRows

BROWSING = ("view", "click", "add_to_cart")
PURCHASE = "purchase"
TRIP_DECAYS = {"trip_decay_90": 0.9, "trip_decay_97": 0.966, "trip_decay_99": 0.99}
VOLUME_HALF_LIVES = {"volume_decay_100": 100.0, "volume_decay_300": 300.0}  # items bought
COUNTS = ("trips", "decay_56", "decay_112", "units_decay_56", "weeks", "weeks_56d", *TRIP_DECAYS, *VOLUME_HALF_LIVES)
ESTIMATES = (
    "active_weeks",
    "active_weeks_56d",
    "weeks",
    "weeks_56d",
    "unit_price",
    "category_gap",
    "branded_category_gap",
)
INTEREST = {"view": 1.0, "click": 2.0, "add_to_cart": 4.0, PURCHASE: 4.0}  # weight as a seed of neighbours


@dataclass(frozen=True, slots=True)
class Session:
    """Events of one user, in the order in which they were taken: item codes, kinds, microseconds since 1970, units."""

    codes: NDArray[np.int32]
    kinds: tuple[str, ...]
    at: NDArray[np.int64]
    units: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.codes)

    def since(self, moment: int) -> "Session":
        """Return the events at or after a moment, in microseconds since 1970."""
        return self.where(self.at >= moment)

    def newest(self, limit: int) -> "Session":
        """Return the last ``limit`` events."""
        return Session(self.codes[-limit:], self.kinds[-limit:], self.at[-limit:], self.units[-limit:])

    def of_kinds(self, kinds: tuple[str, ...]) -> "Session":
        """Return the events of some kinds."""
        return self.where(np.array([kind in kinds for kind in self.kinds], dtype=bool))

    def where(self, chosen: NDArray[np.bool_]) -> "Session":
        """Return some of the events."""
        if chosen.all():
            return self
        kinds = tuple(kind for kind, keep in zip(self.kinds, chosen.tolist(), strict=True) if keep)
        return Session(self.codes[chosen], kinds, self.at[chosen], self.units[chosen])


def longer(session: Session | None, codes: NDArray[np.int32], kind: str, at: int, units: float = 1.0) -> Session:
    """Return a session with one event more for each item code, all of one kind and moment."""
    many = len(codes)
    added = Session(
        codes.astype(np.int32), (kind,) * many, np.full(many, at, np.int64), np.full(many, units, np.float32)
    )
    if session is None:
        return added
    return joined(session, added)


def joined(earlier: Session, later: Session) -> Session:
    """Return the events of one session, and after them those of another."""
    return Session(
        np.concatenate((earlier.codes, later.codes)),
        (*earlier.kinds, *later.kinds),
        np.concatenate((earlier.at, later.at)),
        np.concatenate((earlier.units, later.units)),
    )


def both(one: Session | None, other: Session | None) -> Session | None:
    """Return two records of one session as one, by time: what stands in both counts once."""
    if not one or not other:
        return one or other
    events = sorted((_events(one) | _events(other)).elements(), key=itemgetter(2))
    codes, kinds, at, units = zip(*events, strict=True)
    return Session(np.array(codes, np.int32), kinds, np.array(at, np.int64), np.array(units, np.float32))


def with_session(user: UserRows, items: ItemRows, session: Session, now: int) -> UserRows:
    """Lay a session over one user's row; ``now`` is in microseconds since 1970. Items without a row are passed over."""
    known = session.where(items.positions(session.codes) != MISSING_POSITION)
    browsed, bought = known.of_kinds(BROWSING), known.of_kinds((PURCHASE,))
    arrays, columns = dict(user.arrays), dict(user.columns)
    if len(browsed) and "seen_item" in arrays:
        columns |= _browsed_more(columns, browsed, now)
        arrays |= _seen(arrays, items, browsed, now)
    if len(bought):
        position, units = sums_by_key(items.positions(bought.codes).astype(np.int64), bought.units)
        columns |= _one_trip_more(columns, len(position)) | _repeated_more(columns, arrays, position)
        arrays |= _later(arrays, "history", len(position))
        arrays |= _bought(arrays, "history", "item", position, units)
        for group in _groups(arrays, items):
            code, group_units = _by_group(items.columns[group], position, units)
            arrays |= _later(arrays, group, len(position))
            arrays |= _bought(arrays, group, "code", code, group_units)
    return UserRows(user.user_ids, columns, arrays)


def session_seeds(session: Session, items: ItemRows) -> UserRows:
    """Return a user whose whole history is this session: it finds neighbours when nothing else is known."""
    positions = items.positions(session.codes)
    weights = np.array([INTEREST.get(kind, 0.0) for kind in session.kinds], dtype=np.float32)
    keep = (positions != MISSING_POSITION) & (weights > 0)
    position, weight = sums_by_key(positions[keep].astype(np.int64), weights[keep])
    offsets = np.array([0, len(position)], dtype=np.int64)
    arrays = {
        "history_item": Ragged(offsets, position.astype(np.int32)),
        "history_decay_112": Ragged(offsets, weight.astype(np.float32)),
    }
    return UserRows(np.array([""], dtype=object), {}, arrays)


def _events(session: Session) -> Counter[tuple[int, str, int, float]]:
    return Counter(zip(session.codes.tolist(), session.kinds, session.at.tolist(), session.units.tolist(), strict=True))


def _seen(arrays: Mapping[str, Ragged], items: ItemRows, browsed: Session, now: int) -> dict[str, Ragged]:
    positions = items.positions(browsed.codes)
    age = np.maximum(now - browsed.at, 0) / DAY_MICROSECONDS
    keys = np.unique(positions)
    widened = _widened(arrays, "seen", "item", keys, zeros=[f"{kind}_decay_7" for kind in BROWSING])
    at = np.searchsorted(widened["seen_item"].values, positions)
    for kind in BROWSING:
        if f"seen_{kind}_decay_7" in widened:
            chosen = np.array([found == kind for found in browsed.kinds])
            np.add.at(widened[f"seen_{kind}_decay_7"].values, at[chosen], (0.5 ** (age[chosen] / 7)).astype(np.float32))
    np.fmin.at(widened["seen_days_since_last"].values, at, age.astype(np.float32))
    return widened


def _one_trip_more(columns: Mapping[str, Floats], items: int) -> dict[str, Floats]:
    """Return a user's scalars after a trip with a number of distinct items."""
    trips = np.nan_to_num(columns["trips"])
    new_week = ~(columns["days_since_last"] < 7)
    changed = {
        name: np.nan_to_num(columns[name]) + 1 for name in ("trips", "trips_28d", "trips_decay_14", "trips_decay_56")
    }
    weeks = {name: np.nan_to_num(columns[name]) + new_week for name in ("active_weeks", "active_weeks_56d")}
    basket = (np.nan_to_num(columns["basket_items_mean"]) * trips + items) / (trips + 1)
    tenure = np.nan_to_num(columns["tenure_days"])
    columns_by_name = (
        changed | weeks | {"days_since_last": np.zeros_like(trips), "tenure_days": tenure, "basket_items_mean": basket}
    )
    return {name: values.astype(np.float32) for name, values in columns_by_name.items() if name in columns}


def _repeated_more(
    columns: Mapping[str, Floats], arrays: Mapping[str, Ragged], bought: NDArray[np.int64]
) -> dict[str, Floats]:
    """Return the share of purchases that were repeats, each counting by its age."""
    earlier = np.maximum(arrays["history_decay_56"].values, 0).sum(dtype=np.float64)
    repeats = np.isin(bought, arrays["history_item"].values).sum()
    share = (np.nan_to_num(columns["repeat_share"]) * earlier + repeats) / (earlier + len(bought))
    return {"repeat_share": share.astype(np.float32)}


def _browsed_more(columns: Mapping[str, Floats], browsed: Session, now: int) -> dict[str, Floats]:
    """Return how often a user did what, with the browsing of a session."""
    late = browsed.since(now - 7 * DAY_MICROSECONDS)
    counts = {f"{kind}_7d": late.kinds.count(kind) for kind in BROWSING}
    return {
        name: (np.nan_to_num(columns[name]) + count).astype(np.float32)
        for name, count in counts.items()
        if name in columns
    }


def _later(arrays: Mapping[str, Ragged], group: str, items: int) -> dict[str, Ragged]:
    """Return all entries of a group after one more trip with a number of items."""
    factors = TRIP_DECAYS | {name: 0.5 ** (items / half_life) for name, half_life in VOLUME_HALF_LIVES.items()}
    arrays_by_name = {}
    for name, factor in factors.items():
        if f"{group}_{name}" in arrays:
            ragged = arrays[f"{group}_{name}"]
            arrays_by_name[f"{group}_{name}"] = Ragged(ragged.offsets, ragged.values * np.float32(factor))
    for name in ("trips_since_first", "trips_since_last"):
        if f"{group}_{name}" in arrays:
            ragged = arrays[f"{group}_{name}"]
            arrays_by_name[f"{group}_{name}"] = Ragged(ragged.offsets, ragged.values + np.float32(1))
    return arrays_by_name


def _bought(
    arrays: Mapping[str, Ragged], group: str, key: str, codes: NDArray[np.int64], units: Floats
) -> dict[str, Ragged]:
    """Return a group's entries with those of what was bought now, each once."""
    firsts = [name for name in ("days_since_first", "trips_since_first") if f"{group}_{name}" in arrays]
    widened = _widened(arrays, group, key, codes.astype(np.int32), zeros=[*COUNTS, *firsts])
    at = np.searchsorted(widened[f"{group}_{key}"].values, codes)
    values = {name.removeprefix(f"{group}_"): ragged.values for name, ragged in widened.items()}
    since_last = values["days_since_last"][at]
    _mix_gap(values, "gap", at, since_last)
    if "trip_gap" in values:
        _mix_gap(values, "trip_gap", at, values["trips_since_last"][at])
        values["trips_since_last"][at] = 0
    amounts = {"units_decay_56": units, "weeks": ~(since_last < 7), "weeks_56d": ~(since_last < 7)}
    for name in COUNTS:
        if name in values:
            values[name][at] += amounts.get(name, np.float32(1))
    values["last_units"][at] = units
    values["days_since_last"][at] = 0
    return widened


def _mix_gap(values: Mapping[str, Floats], name: str, at: NDArray[np.int64], age: Floats) -> None:
    """Let the time since the last purchase join the mean gap, in which each gap weighs as the purchase that ended it.

    The first purchase ended none; where it is not known when that was, it is taken to weigh as the mean of all.
    """
    trips, gap, weight = values["trips"][at], values[name][at], values["decay_56"][at]
    if "days_since_first" in values:
        earlier = np.maximum(weight - 0.5 ** (values["days_since_first"][at] / 56), 0)
    else:
        earlier = weight * np.maximum(trips - 1, 0) / np.maximum(trips, 1)
    mixed = (np.nan_to_num(gap) * earlier + age) / (earlier + 1)
    values[name][at] = np.where(np.isnan(gap), age, mixed).astype(np.float32)


def _widened(
    arrays: Mapping[str, Ragged], group: str, key: str, codes: Positions, zeros: list[str]
) -> dict[str, Ragged]:
    """Return copies of a group's aligned arrays, with entries for codes: 0 in columns of ``zeros``, else missing."""
    held = arrays[f"{group}_{key}"].values
    new = np.setdiff1d(codes, held).astype(held.dtype)
    order = np.argsort(np.r_[held, new], kind="stable")
    offsets = np.array([0, len(order)], dtype=np.int64)
    arrays_by_name = {f"{group}_{key}": Ragged(offsets, np.r_[held, new][order])}
    for name in arrays:
        column = name.removeprefix(f"{group}_")
        if name.startswith(f"{group}_") and column != key:
            fill = np.full(len(new), 0.0 if column in zeros else np.nan, dtype=np.float32)
            arrays_by_name[name] = Ragged(offsets, np.r_[arrays[name].values.astype(np.float32), fill][order])
    return arrays_by_name


def _groups(arrays: Mapping[str, Ragged], items: ItemRows) -> list[str]:
    """Groups of items that a user's row keeps a history of, such as ``category``."""
    return [name.removesuffix("_code") for name in arrays if name.endswith("_code") and name[:-5] in items.columns]


def _by_group(codes: Floats, positions: NDArray[np.int64], units: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Return the distinct groups of some items, with the units bought of each; skip items without a group."""
    group = codes[positions]
    known = ~np.isnan(group)
    return sums_by_key(group[known].astype(np.int64), units[known])
