"""How long the live window is."""

from components.contracts.errors import ConfigurationError
from components.shop.settings import Shop


def window_days(shop: Shop, asked: int | None) -> int:
    """Return the days of the live window: those asked for, the shop file's, or one horizon.

    Raises:
        ConfigurationError: the window asked for holds requests without known outcomes, or ones that were trained on.
    """
    if asked is None:
        return shop.drift.window_days or shop.horizon_days
    try:
        shop.check_window("the drift window (--window)", asked)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    return asked
