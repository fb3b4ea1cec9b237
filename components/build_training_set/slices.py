"""Named slices of requests, by what is known of the user at the time of the request."""

import numpy as np

from components.ranking.rows import UserRows

COLD_TRIPS = 3
LIGHT_TRIPS = 12
REGULAR_TRIPS = 50
NEW_DAYS = 28


def request_slices(users: UserRows) -> list[list[str]]:
    """Slices of each user: by trips so far (cold, light, regular or heavy), and ``new`` in their first weeks."""
    trips = np.nan_to_num(users.columns["trips"])
    by_trips = np.array(["cold", "light", "regular", "heavy"])[
        np.digitize(trips, [COLD_TRIPS + 0.5, LIGHT_TRIPS + 0.5, REGULAR_TRIPS + 0.5])
    ]
    new = users.columns["tenure_days"] <= NEW_DAYS
    return [[str(name), "new"] if fresh else [str(name)] for name, fresh in zip(by_trips, new, strict=True)]
