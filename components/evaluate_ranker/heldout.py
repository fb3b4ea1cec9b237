"""The held-out requests as arrays, on which all contenders are judged."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.contracts.ranking_examples import Split
from components.ranking.metrics import Lists, ranked_lists


@dataclass(frozen=True)
class Heldout:
    """Held-out rows and requests; requests without any success cannot be judged and are left out of every mean.

    ``item`` numbers the rows' items, ``popularity`` counts their successes in training and ``sold`` says which of them
    were sold lately, both [items]; ``catalogue`` counts all items that were, candidates or not.
    """

    split: Split
    k: int
    item: NDArray[np.int64]
    popularity: NDArray[np.float64]
    sold: NDArray[np.bool_]
    catalogue: int

    @cached_property
    def request(self) -> NDArray[np.int32]:
        """Return each row's request."""
        return self.split.rows["request"].to_numpy()

    @cached_property
    def labels(self) -> NDArray[np.float32]:
        """Return each row's label."""
        return self.split.rows["label"].to_numpy()

    @cached_property
    def relevant(self) -> NDArray[np.int64]:
        """Return each request's number of relevant items, candidates or not."""
        return self.split.requests["relevant"].to_numpy().astype(np.int64)

    @cached_property
    def user(self) -> NDArray[np.int64]:
        """Return each request's user, numbered from 0."""
        return pc.dictionary_encode(self.split.requests["user_id"].combine_chunks()).indices.to_numpy().astype(np.int64)

    @cached_property
    def slices(self) -> dict[str, NDArray[np.bool_]]:
        """Return the named slices that hold a judged request, as masks over requests."""
        lists = self.split.requests["slices"].combine_chunks()
        owner, name = pc.list_parent_indices(lists).to_numpy(), pc.list_flatten(lists)
        masks: dict[str, NDArray[np.bool_]] = {}
        for one in sorted(pc.unique(name).to_pylist()):
            mask = np.zeros(len(lists), dtype=bool)
            mask[owner[pc.equal(name, one).to_numpy(zero_copy_only=False)]] = True
            if (mask & self.judged).any():
                masks[one] = mask
        return masks

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Requests with any success."""
        return self.relevant > 0

    @cached_property
    def asked(self) -> NDArray[np.intp]:
        """Return numbers of the judged requests."""
        return np.flatnonzero(self.judged)

    def users_of(self, requests: NDArray[np.bool_]) -> int:
        """Return the number of distinct users of some judged requests."""
        return len(np.unique(self.user[requests & self.judged]))

    def lists(self, scores: NDArray[np.floating]) -> Lists:
        """Rank every request's candidates by their scores."""
        return ranked_lists(self.request, scores, self.labels, self.relevant, self.k)


def heldout_requests(heldout: Split, train: Split, k: int, sold: pa.Array) -> Heldout:
    """Number the items of the held-out rows and count their successes in the training rows; ``sold`` holds item ids."""
    items = pa.chunked_array([*heldout.rows["item_id"].chunks, *train.rows["item_id"].chunks], pa.string())
    encoded = items.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy().astype(np.int64)
    own, trained = codes[: len(heldout.rows)], codes[len(heldout.rows) :]
    items_known = int(own.max(initial=-1)) + 1
    success = (train.rows["label"].to_numpy() > 0) & (trained < items_known)
    popularity = np.bincount(trained[success], minlength=items_known).astype(np.float64)
    lately = pc.is_in(encoded.dictionary.slice(0, items_known), value_set=sold).to_numpy(zero_copy_only=False)
    return Heldout(heldout, k, own, popularity, lately, len(sold))
