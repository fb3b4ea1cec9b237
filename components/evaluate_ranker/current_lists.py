"""A bundle's lists as they would be now: they are checked where there are no held-out weeks."""

import numpy as np
import pyarrow.parquet as pq

from components.bundles.batch import open_batch
from components.bundles.loading import Bundle
from components.contracts.handles import Handle
from components.contracts.verdict import Check
from components.evaluate_ranker.lists import check_lists
from components.features.snapshots.sets import FeatureSet, open_set
from components.ranking.candidates import generate_candidates
from components.ranking.recommending import scored_pairs
from components.shop.settings import Candidates

USERS = 500


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
