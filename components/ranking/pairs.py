"""User x item pairs: the rows that get ranked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SourceBits = NDArray[np.uint32]


@dataclass(frozen=True)
class Pairs:
    """Candidates of some users, sorted by user index, then item position; each pair once.

    ``user`` indexes ``UserRows``, ``item`` is a position in ``ItemRows``; ``sources`` has one bit a candidate source.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    sources: SourceBits

    def __len__(self) -> int:
        return len(self.user)

    def group_sizes(self, users: int) -> NDArray[np.int64]:
        """Return the number of candidates of each of ``users`` users."""
        return np.bincount(self.user, minlength=users)


def no_sources(pairs: int) -> SourceBits:
    """Return the sources of pairs that no source brought, uint32 [pairs]."""
    return np.zeros(pairs, dtype=np.uint32)
