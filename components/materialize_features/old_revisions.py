"""Rows of earlier definitions stay online for as long as a bundle may need them, for a rollback must find them."""

from components.bundles.store import published_manifests
from components.contracts.errors import BundleError
from components.features.snapshots.sets import VIEWS, FeatureSet, current_set
from components.home.layout import Home
from feature_repo.packed_online_store.client import PackedClient


def drop_old_revisions(home: Home, client: PackedClient, feature_set: FeatureSet) -> int:
    """Delete the rows of revisions that neither a set in use nor a published bundle names; return how many went."""
    try:
        bundles = {each.feature_revision for each in published_manifests(home.models, feature_set.project)}
    except BundleError:  # a bundle that cannot be read may need any revision
        return 0
    kept = bundles | {feature_set.revision, current_set(home.features).revision}
    old = [(view, revision) for view in VIEWS for revision in client.revisions(view) if revision not in kept]
    return sum(client.delete_revision(view, revision) for view, revision in old)
