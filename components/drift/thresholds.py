"""The size from which a change matters, and how often noise alone may raise an alarm."""

from dataclasses import dataclass, fields

from components.contracts.errors import ConfigurationError


@dataclass(frozen=True)
class DriftThresholds:
    """The limits of a comparison; each also has a floor that noise cannot reach, computed from the window's size.

    ``psi``: 0.1 to 0.25 is a moderate shift by custom (Siddiqi, 2006); 0.2 is a normal variable moved by 0.45 of its
    deviation. ``ks``: 0.15 is the same variable moved by 0.38. Shares are in 0..1. ``false_alarm_rate`` is the
    chance per window, over all its columns and statistics together, that an unchanged shop alarms. ``min_users``
    counts rows where a table has no users. ``quality_fall`` is relative to the reference mean.
    """

    psi: float = 0.2
    ks: float = 0.15
    missing_share_change: float = 0.05
    outside_share: float = 0.02
    new_category_share: float = 0.05
    quality_fall: float = 0.02
    false_alarm_rate: float = 0.01
    min_users: int = 100

    def __post_init__(self) -> None:
        """Refuse values that no limit can have."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0 or (field.name not in ("min_users", "psi") and value >= 1):
                allowed = "above 0" if field.name in ("min_users", "psi") else "above 0 and below 1"
                raise ConfigurationError(f"drift.{field.name}: {value!r}; expected a number {allowed}")
