"""The part of the feedback log that a readout needs."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.contracts.feedback import SERVED
from components.feedback.reading import served_lists
from components.home.layout import Home

NOT_READ = {"context", "scores", "propensities", "features", "shadow_scores"}
COLUMNS = [name for name in SERVED.names if name not in NOT_READ]


def experiment_lists(home: Home, experiment: str) -> pa.Table:
    """Return the lists that were answered under an experiment, each request once, in the order of time."""
    every = served_lists(home, COLUMNS)
    lists = every.filter(pc.equal(every["experiment"], experiment)).sort_by("event_time")
    _, first = np.unique(lists["request_id"].to_numpy(), return_index=True)  # callers may name requests alike
    return lists.take(pa.array(np.sort(first)))
