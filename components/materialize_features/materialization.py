"""Put the newest snapshot online: Feast's registry applied, every user's and item's row in the packed store.

Rows of earlier definitions stay online for as long as a bundle may need them, for a rollback must find them.
"""

from collections.abc import Callable
from dataclasses import asdict

from components.bundles.store import published_manifests
from components.contracts.errors import BundleError, DamagedStoreError
from components.contracts.handles import Handle
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import OnlineFacts
from components.contracts.urls import public_url
from components.features.snapshots.sets import VIEWS, FeatureSet, current_set, open_set, point_current
from components.home.layout import Home
from components.materialize_features.catalogue import put_catalogue
from components.materialize_features.forgotten_rows import drop_forgotten
from components.materialize_features.online_state import gap
from components.materialize_features.packed_rows import (
    advance_clock,
    leave_inventory,
    open_client,
    set_clock_back,
    write_newest,
)
from components.materialize_features.registration import register
from components.shop.settings import Shop
from feature_repo.packed_online_store.client import PackedClient, WriteReport


def materialize_features(
    shop: Shop, home: Home, features: Handle, say: Callable[[str], None], asked: bool = False
) -> StepResult[OnlineFacts]:
    """Write the set's newest rows online, unless they stand there already.

    A newer row is overwritten only if the set's moment was ``asked`` for: then the store goes back to it.

    Raises:
        StoreError: rows read differ from rows written, or the store cannot be reached.
    """
    feature_set = open_set(features)
    say("applying the feature registry")
    applied = register(home, feature_set)
    if asked:
        go_back(home, feature_set, say)
    reports = put_rows(home, feature_set, say)
    with open_client(home, feature_set) as client:
        advance_clock(client, feature_set)
        drop_old_revisions(home, client, feature_set)
        drop_forgotten(home, client)
    handle = Handle("online", public_url(home.online_url), features.versions, features.digest, features.as_of)
    views = {view: asdict(report) for view, report in reports.items()}
    written = sum(report.written for report in reports.values())
    facts = OnlineFacts(applied, views, _words(reports))
    return StepResult(handle, sum(report.rows for report in reports.values()), written, facts)


def go_back(home: Home, feature_set: FeatureSet, say: Callable[[str], None]) -> None:
    """Take the rows, the clock and the current set of a later moment away, if there are any.

    Raises:
        StoreError: the store cannot be reached.
    """
    with open_client(home, feature_set) as client:
        if set_clock_back(client, feature_set):
            say(f"going back to {feature_set.as_of.isoformat()}: rows of a later moment leave the store")
            for view in VIEWS:
                client.delete_revision(view, feature_set.revision)
    point_current(feature_set, allow_earlier=True)


def put_rows(home: Home, feature_set: FeatureSet, say: Callable[[str], None]) -> dict[str, WriteReport]:
    """Write a set's newest rows, unless all of them are online already; then report nothing.

    The words of the catalogue come before them: a service reads both again when it sees that rows were written.

    Raises:
        StoreError: rows read differ from rows written, or the store cannot be reached.
    """
    with open_client(home, feature_set) as client:
        try:
            put_catalogue(home, client)
            if gap(home, client, feature_set) is None:
                return {}
        except DamagedStoreError as error:
            say(f"replacing the store's file: {error}")
            client.backend.discard_damaged()
            put_catalogue(home, client)
        say("writing rows online")
        reports = write_newest(client, feature_set)
        leave_inventory(home, client, feature_set)
        return reports


def _words(reports: dict[str, WriteReport]) -> str:
    if not reports:
        return "these rows were online already"
    written, newer = (sum(getattr(report, name) for report in reports.values()) for name in ("written", "kept_newer"))
    if newer:
        return (
            f"{written:,} rows written; {newer:,} left, because newer ones were online; "
            "a run with --as-of puts that moment online all the same"
        )
    return f"{written:,} rows written, and read back as written"


def drop_old_revisions(home: Home, client: PackedClient, feature_set: FeatureSet) -> int:
    """Delete the rows of revisions that neither a set in use nor a published bundle names; return how many went."""
    try:
        bundles = {each.feature_revision for each in published_manifests(home.models, feature_set.project)}
    except BundleError:  # a bundle that cannot be read may need any revision
        return 0
    kept = bundles | {feature_set.revision, current_set(home.features).revision}
    old = [(view, revision) for view in VIEWS for revision in client.revisions(view) if revision not in kept]
    return sum(client.delete_revision(view, revision) for view, revision in old)
