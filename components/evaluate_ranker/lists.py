"""Check that scores give lists worth showing: empty or unordered lists are no evidence.

Such scores come of rules that leave no candidate (stock, catalogue), of events that hold no purchase, of returns that
cancel every sale, or of a shop with one item. Equal scores leave a list in the order of the item ids. Where there are
no held-out weeks, a bundle's lists as they would be now are checked.
"""

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.bundles.batch import open_batch
from components.bundles.loading import Bundle
from components.contracts.handles import Handle
from components.contracts.verdict import Check
from components.features.snapshots.sets import FeatureSet, open_set
from components.ranking.candidates import generate_candidates
from components.ranking.recommending import scored_pairs
from components.shop.settings import Candidates

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]
USERS = 500


def check_lists(request: Integers, scores: Floats, asked: Integers, whose: str) -> Check:
    """Check that a ranker's scores order a list at least.

    ``request`` (ascending) and ``scores`` have one value a candidate; ``asked`` are the requests that want a list, and
    ``whose`` says in words who asked.
    """
    fault = fault_of(request, scores, asked)
    if fault:
        return Check("lists", False, f"{len(asked):,} lists of {whose} were looked at: {fault}")
    filled, ordered = np.unique(request[np.isin(request, asked)]), _ordered(request, scores, asked)
    reason = f"{len(filled):,} of {len(asked):,} lists of {whose} hold something, and scores order {len(ordered):,}"
    return Check("lists", True, reason)


def fault_of(request: Integers, scores: Floats, asked: Integers) -> str | None:
    """Say why scores make no list that is worth showing; None if they order one. Arguments as ``check_lists``."""
    rows = np.isin(request, asked)
    unusable = int(np.count_nonzero(~np.isfinite(scores[rows])))
    if not rows.any():
        return (
            "all are empty, for nobody has a candidate; look at what leaves items out: rules.in_stock_only,"
            " rules.not_merchandise and the catalogue's own flags"
        )
    if unusable:
        return f"{unusable:,} of {int(rows.sum()):,} scores are not numbers"
    if np.bincount(request[rows]).max() < 2:
        return "none has a second candidate, so there is nothing to order"
    if not scores[rows].any():
        return f"every one of {int(rows.sum()):,} candidates scores 0, so all lists are in the order of the item ids"
    if not len(_ordered(request, scores, asked)):
        return "all candidates of a list score alike, so all lists are in the order of the item ids"
    return None


def _ordered(request: Integers, scores: Floats, asked: Integers) -> Integers:
    """Return requests that have candidates of different scores."""
    rows = np.flatnonzero(np.isin(request, asked))
    same_list = request[rows[1:]] == request[rows[:-1]]
    return np.unique(request[rows[1:]][same_list & (scores[rows[1:]] != scores[rows[:-1]])])


def check_current_lists(bundle: Bundle, features: Handle) -> Check:
    """Check that a bundle orders the candidates of some customers as they stand at a feature set's as-of.

    Raises:
        BundleError: the bundle's parts disagree, or it was made for other rows.
    """
    feature_set = open_set(features)
    users = _sampled_users(feature_set)
    if not users:
        return Check("lists", False, "nobody is left with a purchase, so there is nobody to list for: all was returned")
    batch = open_batch(bundle, feature_set, users)
    pairs = generate_candidates(batch.users, batch.items, Candidates(**bundle.manifest.candidates))
    scores = scored_pairs(batch.ranker.score, batch.users, batch.items, pairs).score
    return check_lists(pairs.user, scores, np.arange(len(batch.users)), "customers as they stand now")


def _sampled_users(features: FeatureSet) -> list[str]:
    """Return ids of evenly spread customers."""
    users = pq.read_table(features.newest("user_features"), columns=["user_id"], partitioning=None)["user_id"]
    if not len(users):
        return []
    return [users[int(row)].as_py() for row in np.unique(np.linspace(0, len(users) - 1, USERS).astype(int))]
