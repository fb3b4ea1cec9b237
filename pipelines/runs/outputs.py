"""The outputs of a finished run: check that they exist, and restore them without training again.

::

    environments/<env>.json ◀── its copy, else the record of propose_promotion
    models/…/<bundle>       ◀── the draft and the verdict in the folder of the run that made it
    online store            ◀── the feature set of the run
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from components.bundles.digest import short
from components.bundles.environments import Move, Pointer, PointerFiles
from components.bundles.loading import Bundle, handed_bundle
from components.bundles.manifest import read_manifest
from components.bundles.signing.home_key import KEY_VARIABLE, bundle_signer, can_sign
from components.bundles.signing.kept import kept_documents
from components.bundles.signing.trust import LOCAL, trust_here
from components.bundles.store import (
    Signs,
    bundle_place,
    bundles_of,
    check_stored,
    find_bundle,
    point_latest,
    published_names,
)
from components.contracts.errors import (
    BundleError,
    DamagedStoreError,
    FeatureError,
    PromotionError,
    RankloopError,
    UnverifiedBundleError,
)
from components.contracts.handles import Handle
from components.contracts.urls import public_url
from components.features.snapshots.sets import FeatureSet, check_files, current_set, open_set, read_set
from components.home.layout import Home
from components.home.runs.records import RunRecord, list_runs
from components.home.runs.step_records import StepRecord, read_records
from components.home.shop_note import ShopNote, write_shop_note
from components.home.storage.documents import has_document
from components.home.storage.locations import parse_location
from components.home.storage.objects import has_folder, remove_folder
from components.materialize_features.materialization import materialize_features, put_rows
from components.materialize_features.online_state import gap
from components.materialize_features.packed_rows import advance_clock, open_client
from components.publish_bundle.publishing import publish_bundle
from components.shop.settings import Shop
from feature_repo.online_notes import read_note

NO_SUCH_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
ANSWER_SECONDS = 5.0  # a store that stands still is not waited for longer, a call

Records = dict[str, StepRecord]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Lost:
    """Something that is not as a run left it.

    ``put_back`` does so; None: it cannot be. Only a new run can then replace what ``needs_run``.
    """

    subject: str
    found: str
    put_back: Callable[[Say], object] | None
    needs_run: bool = False

    def __str__(self) -> str:
        return f"{self.subject}: {self.found}"


def lost_outputs(home: Home, shop: Shop, run: RunRecord) -> Iterator[Lost]:
    """Look at each output once those before it were put back.

    Raises:
        StoreError: the online store cannot be reached.
    """
    records = read_records(home.run(run.run_id))
    yield from _lost_decisions(home, shop, run, records)
    yield from _lost_rows(home, shop, records)


def lost_rows(home: Home, shop: str) -> Iterator[Lost]:
    """Look at the online rows of the current features, and of those that published bundles read, without any run.

    Raises:
        FeatureError: there are no features yet, or a file of them is gone.
        StoreError: the online store cannot be reached.
    """
    current = current_set(home.features)
    check_files(current)
    missing = _gap(home, current)
    if missing:
        yield Lost(_subject(home), missing, partial(_put_current, home, current))
    yield from _lost_older_rows(home, shop, current.revision)


def lost_decisions(home: Home, shop: Shop, run: RunRecord) -> Iterator[Lost]:
    """Look at what a new run builds on: the note of the shop, the environments, their bundles and the newest one."""
    yield from _lost_decisions(home, shop, run, read_records(home.run(run.run_id)))


def _lost_decisions(home: Home, shop: Shop, run: RunRecord, records: Records) -> Iterator[Lost]:
    if not has_document(home.shop_note):
        note = ShopNote(run.shop, run.shop_file)
        yield Lost("shop.json", "it is gone", lambda _: write_shop_note(home, note))
    yield from _lost_pointers(home, run, records)
    yield from _lost_bundles(home, shop, records)


def _lost_rows(home: Home, shop: Shop, records: Records) -> Iterator[Lost]:
    """Look at the online rows of the run's features, and of those that published bundles read.

    Raises:
        StoreError: the online store cannot be reached.
    """
    handle = _handle(records, "build_features", "features")
    try:
        newest = open_set(handle) if handle else None
        if newest is not None:
            check_files(newest)
    except FeatureError as error:
        newest = None
        yield Lost("features", str(error), None, needs_run=True)
    if newest is not None and handle is not None:
        missing = _gap(home, newest)
        if missing:
            yield Lost(_subject(home), missing, partial(materialize_features, shop, home, handle))
    yield from _lost_older_rows(home, shop.name, newest.revision if newest else "")


def _lost_older_rows(home: Home, shop: str, newest: str) -> Iterator[Lost]:
    """Look at the rows of feature revisions that published bundles read: one of them is live, or may be again."""
    for revision in sorted(_published_revisions(home, shop) - {newest}):
        note = read_note(home, revision)
        if note is None:
            continue
        try:
            feature_set = read_set(home.features, note.inventory.digest)
            check_files(feature_set)
        except FeatureError:
            continue
        missing = _gap(home, feature_set)
        if missing:
            yield Lost(f"{_subject(home)}, revision {revision}", missing, partial(put_rows, home, feature_set))


def _put_current(home: Home, feature_set: FeatureSet, say: Say) -> None:
    """Write a set's rows and the store's clock: what a run does, but for Feast's registry, which lies in the home."""
    put_rows(home, feature_set, say)
    with open_client(home, feature_set) as client:
        advance_clock(client, feature_set)


def _subject(home: Home) -> str:
    return f"online store {public_url(home.online_url)}"


def _gap(home: Home, feature_set: FeatureSet) -> str | None:
    with open_client(home, feature_set, ANSWER_SECONDS) as client:
        try:
            return gap(home, client, feature_set)
        except DamagedStoreError as error:
            return str(error)


def _published_revisions(home: Home, shop: str) -> set[str]:
    """Return the feature revisions of the published bundles that can be read."""
    revisions = set()
    for name in published_names(home.models, shop):
        with suppress(BundleError):
            revisions.add(read_manifest(bundles_of(home.models, shop) / name).feature_revision)
    return revisions


def _lost_pointers(home: Home, run: RunRecord, records: Records) -> Iterator[Lost]:
    pointers = PointerFiles(home.environments)
    recorded = _recorded_pointer(run, records)
    expected = {recorded.environment: recorded} if recorded else {}
    expected |= {copy.environment: copy for copy in pointers.copies()}
    for environment, pointer in sorted(expected.items()):
        try:
            is_there = pointers.has(environment) and pointers.read(environment) is not None
            reason = "it is gone"
        except PromotionError as error:
            if _is_unknown(error):
                raise
            is_there, reason = False, str(error)
        if not is_there:
            yield Lost(f"environment {environment}", reason, lambda _, pointer=pointer: pointers.restore(pointer))  # type: ignore[misc]


def _recorded_pointer(run: RunRecord, records: Records) -> Pointer | None:
    """Return what the run's own record knows of its environment: the bundle that was served when the run ended.

    None where it lives in a repository, which keeps its own history.
    """
    record = records.get("propose_promotion")
    if record is None or not record.facts.get("after") or record.facts.get("repository"):
        return None
    move = Move("promote", record.facts["after"], run.run_id, datetime.fromtimestamp(record.started, UTC).isoformat())
    return Pointer(record.facts["environment"], (move,))


def _lost_bundles(home: Home, shop: Shop, records: Records) -> Iterator[Lost]:
    published = _handle(records, "publish_bundle", "bundle")
    newest = published.digest if published else None
    trust = trust_here(home, LOCAL, os.environ) if can_sign(home, os.environ) else None
    for digest in [*sorted(_live_digests(home) - {newest}), newest]:
        if digest is None:
            continue
        try:
            bundle = find_bundle(home.models, shop.name, digest)
            check_stored(home.models, bundle)
            if trust is not None:
                trust.check(bundle)
        except BundleError as error:
            if _is_unknown(error):
                raise
            put_back = _republishing(home, shop, digest, newest)
            yield Lost(f"bundle {short(digest)}", str(error), put_back, needs_run=digest == newest)
    if newest is not None and not _is_latest_there(home, shop):
        yield Lost("the newest bundle's name", "it is gone", lambda _: point_latest(home.models, shop.name, newest))


def _is_latest_there(home: Home, shop: Shop) -> bool:
    try:
        find_bundle(home.models, shop.name, "latest")
    except BundleError:
        return False
    return True


def _live_digests(home: Home) -> set[str]:
    pointers, digests = PointerFiles(home.environments), set()
    for environment in pointers.environments():
        try:
            digests.add(pointers.read(environment).bundle)
        except PromotionError:
            continue
    return {digest for digest in digests if digest is not None}


def _republishing(home: Home, shop: Shop, digest: str, newest: str | None) -> Callable[[Say], object] | None:
    """Return how to seal a bundle again from the draft of the run that made it; None without such a draft."""
    for run in list_runs(home):
        records = read_records(home.run(run.run_id))
        draft, verdict = _handle(records, "train_ranker", "bundle"), _handle(records, "evaluate_ranker", "evaluation")
        if draft is None or verdict is None or draft.digest != digest:
            continue
        if has_folder(parse_location(draft.uri)):
            return partial(_republish, home, shop, run, draft, verdict, newest)
    return None


def _republish(
    home: Home, shop: Shop, run: RunRecord, draft: Handle, verdict: Handle, newest: str | None, say: Say
) -> None:
    bundle = handed_bundle(draft)  # nothing is removed that could not be put back
    signer = _signer(home, shop, run, bundle)
    remove_folder(bundle_place(home.models, shop.name, draft.digest or ""))
    now = datetime.now(UTC).isoformat()
    publish_bundle(shop, home, draft, verdict, run.run_id, now, run.fingerprint.get("code"), say, signer=signer)
    if newest is not None:
        point_latest(home.models, shop.name, newest)


def _signer(home: Home, shop: Shop, run: RunRecord, draft: Bundle) -> Signs | None:
    """Return what signs a bundle that is put back: what was signed when it was published, or a folder's own key.

    Raises:
        UnverifiedBundleError: nothing that was kept is accepted, and a mounted key signs a run's own bundles only.
    """
    kept, signer = kept_documents(home.run(run.run_id)), bundle_signer(home, shop.name, os.environ)
    if signer is None:
        return kept
    try:
        if kept is not None:
            kept.check(draft, trust_here(home, LOCAL, os.environ).keys)
            return kept
    except UnverifiedBundleError:
        pass
    if os.environ.get(KEY_VARIABLE):
        raise UnverifiedBundleError(
            f"run {run.run_id} has kept no signature of it that is accepted, and {KEY_VARIABLE} signs only what a run"
            " has made itself; promote another bundle, or train again"
        )
    return signer


def _is_unknown(error: RankloopError) -> bool:
    """Return whether something could not be looked at, and may be as it should be."""
    return isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, NO_SUCH_FILE)


def _handle(records: Records, step: str, kind: str) -> Handle | None:
    return records[step].handles.get(kind) if step in records else None
