"""From a home to what answers come from. A part that cannot be opened is replaced by a fallback, and reported.

::

    environments/<env>.json, or
    RANKLOOP_BUNDLE ─────────▶ champion ─┐   bundle_choice
    models/…/latest ─────────▶ challenger┤
    experiments/<env>.toml ──▶ arms ─────┼─▶ LiveState
    online store ────────────▶ item rows ┘   item_snapshots
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from components.bundles.loading import Bundle, check_rankable, load_ranker
from components.bundles.manifest import manifest_bytes
from components.bundles.scoring import Ranker, ranker_from
from components.contracts.errors import ConfigurationError, StorageError, StoreError, UnverifiedBundleError
from components.contracts.moments import MICROSECOND, microseconds
from components.experiments.experiment import ArmName, Experiment, experiment_file, read_experiment
from components.home.tombstones import TombstoneView
from components.ranking.baselines import BASELINE_NAMES
from components.ranking.features import feature_list
from components.ranking_service.answering.answers import Fallback
from components.ranking_service.answering.recommender import Recommender
from components.ranking_service.answering.score_reference import ScoreReference, score_reference
from components.ranking_service.answering.sessions import Sessions
from components.ranking_service.live.bundle_choice import UNUSABLE, BundleChoice
from components.ranking_service.live.fallback_bundle import IN_MEMORY, baseline_bundle, fallback_bundle
from components.ranking_service.live.item_snapshots import ItemSnapshot, ItemSnapshots
from components.ranking_service.live.row_counts import RowCount
from components.ranking_service.live.state import LiveState
from components.ranking_service.live.store import HomeStore
from components.ranking_service.page.storefront import storefront_of
from components.ranking_service.settings import ServiceSettings
from components.shop.settings import Candidates

RecommenderKey = tuple[str, bytes, bytes | None, Fallback | None, str | None]  # all that a recommender is made of


class LiveLoader:
    """Makes a ``LiveState``, again whenever something changes; rows, models and words that did not change are kept."""

    def __init__(self, settings: ServiceSettings, sessions: Sessions, forgotten: TombstoneView) -> None:
        """Open nothing yet; the page does not list users that are ``forgotten``.

        Raises:
            ConfigurationError: no run has made a home there.
        """
        self.settings, self.sessions, self._forgotten = settings, sessions, forgotten
        self._bundles, self._store = BundleChoice(settings), HomeStore(settings)
        self.shop, self.time = self._bundles.shop, self._store.time
        self._snapshots = ItemSnapshots(settings.home, self._store, forgotten)
        self._rankers: dict[str, Ranker] = {}
        self._references: dict[str, ScoreReference | None] = {}
        self._recommenders: dict[RecommenderKey, Recommender] = {}

    def load(self, before: LiveState | None = None) -> LiveState:
        """Open everything; a part that cannot be opened stays as it was before, or a fallback takes its place.

        Raises:
            StoreError: the store cannot be reached, or has no rows for what must be served.
        """
        self.time.advance()
        trouble = Troubles()
        champion = self._champion(before, trouble)
        experiment = self._experiment(before, trouble)
        arms: dict[ArmName, Recommender] = {"champion": champion}
        openings: dict[ArmName, Callable[[], Bundle]] = {
            "challenger": partial(self._bundles.challenger, experiment),
            "baseline": partial(baseline_bundle, champion.bundle),
        }
        for arm, open_bundle in openings.items():
            try:
                arms[arm] = self._recommender(open_bundle())
            except (*UNUSABLE, StoreError) as error:
                trouble.note(arm, error)
        snapshot = self._snapshots.snapshot(_revision(champion.bundle))
        trouble.words |= _troubles_of(snapshot)
        self._drop_unused(arms)
        page = storefront_of(self.settings, self.shop, arms, experiment, snapshot.catalogue, self._forgotten)
        return LiveState(
            arms, experiment, snapshot.catalogue, page, snapshot.items.newest, trouble.words, trouble.unverified
        )

    def close(self) -> None:
        """Close the store."""
        self._snapshots.keep_only(())

    def count_rows(self, live: LiveState) -> None:
        """Count the rows of the champion that are still there.

        Raises:
            StoreError: the store cannot be read.
        """
        self._snapshots.count_rows(_revision(live.champion.bundle))

    def row_counts(self, live: LiveState) -> Mapping[str, RowCount]:
        """Return the result of the last count, by view."""
        return self._snapshots.row_counts(_revision(live.champion.bundle))

    def items_mark(self, live: LiveState) -> bytes | None:
        """Return a mark that changes when the rows of the live items are written again."""
        return live.champion.rows.items_mark()

    def now(self) -> int:
        """Return the home's present moment, in microseconds since 1970."""
        return microseconds(self.time())

    def _champion(self, before: LiveState | None, trouble: "Troubles") -> Recommender:
        try:
            return self._recommender(self._bundles.champion())
        except UNUSABLE as error:
            trouble.note("champion", error)
        if before is not None and before.champion.degraded is None:
            return self._recommender(before.champion.bundle)
        bundle = fallback_bundle(self.shop, self._store.newest_revision(), self._bundles.any_published())
        return self._recommender(bundle, Fallback.NO_BUNDLE)

    def _experiment(self, before: LiveState | None, trouble: "Troubles") -> Experiment | None:
        try:
            return read_experiment(experiment_file(self.settings.home, self.settings.environment))
        except (ConfigurationError, StorageError) as error:
            trouble.note("experiment", error)
            return before.experiment if before else None

    def _recommender(self, bundle: Bundle, degraded: Fallback | None = None) -> Recommender:
        """Return the recommender of a bundle over its items as they are now; the known one, if both are unchanged.

        Raises:
            BundleError: the bundle's parts disagree, or it was made for other feature code or rows.
            StoreError: its rows cannot be read.
        """
        check_rankable(bundle.manifest, feature_list(), _revision(bundle))
        snapshot = self._snapshots.snapshot(_revision(bundle))
        key = (
            bundle.digest,
            manifest_bytes(bundle.manifest),
            snapshot.items.mark,
            degraded,
            snapshot.catalogue.trouble,
        )
        if key not in self._recommenders:
            recommender = self._new_recommender(bundle, snapshot, degraded)
            recommender.warm_up()
            self._recommenders[key] = recommender
        return self._recommenders[key]

    def _new_recommender(self, bundle: Bundle, snapshot: ItemSnapshot, degraded: Fallback | None) -> Recommender:
        return Recommender(
            bundle,
            self._ranker(bundle),
            snapshot.rows,
            snapshot.candidate_pool(Candidates(**bundle.manifest.candidates)),
            snapshot.catalogue,
            self.sessions,
            self.now,
            degraded=degraded,
            is_stale=self._staleness(snapshot.items.newest),
            lacks_items=snapshot.lacks_items,
            reference=self._reference(bundle),
        )

    def _ranker(self, bundle: Bundle) -> Ranker:
        """A bundle's trees, read once: new item rows do not need the bundle's folder again."""
        if not bundle.manifest.blend:
            return ranker_from(bundle.manifest, {}, baseline_names=BASELINE_NAMES)
        if bundle.digest not in self._rankers:
            self._rankers[bundle.digest] = load_ranker(bundle)
        return self._rankers[bundle.digest]

    def _reference(self, bundle: Bundle) -> ScoreReference | None:
        """A bundle's reference scores, read once; a rule that lies in memory has none."""
        if bundle.folder == IN_MEMORY:
            return None
        if bundle.digest not in self._references:
            self._references[bundle.digest] = score_reference(bundle)
        return self._references[bundle.digest]

    def _staleness(self, newest: int) -> Callable[[], bool]:
        bound = timedelta(days=self.settings.live.stale_after_days) // MICROSECOND
        return lambda: self.now() - newest > bound

    def _drop_unused(self, arms: Mapping[ArmName, Recommender]) -> None:
        """Drop recommenders, models and rows that no arm uses any more."""
        used = set(map(id, arms.values()))
        self._recommenders = {key: kept for key, kept in self._recommenders.items() if id(kept) in used}
        digests = {recommender.bundle.digest for recommender in arms.values()}
        self._rankers = {digest: ranker for digest, ranker in self._rankers.items() if digest in digests}
        self._references = {digest: kept for digest, kept in self._references.items() if digest in digests}
        self._snapshots.keep_only({_revision(recommender.bundle) for recommender in arms.values()})


@dataclass
class Troubles:
    """What could not be opened, in words by the part that it is about; and the arms whose bundle was not verified."""

    words: dict[str, str] = field(default_factory=dict)
    unverified: set[str] = field(default_factory=set)

    def note(self, about: str, error: Exception) -> None:
        """Note why a part could not be opened."""
        self.words[about] = str(error)
        if isinstance(error, UnverifiedBundleError):
            self.unverified.add(about)


def _revision(bundle: Bundle) -> str:
    return bundle.manifest.feature_revision


def _troubles_of(snapshot: ItemSnapshot) -> dict[str, str]:
    troubles = {"catalogue": snapshot.catalogue.trouble, "online rows": snapshot.trouble}
    return {about: trouble for about, trouble in troubles.items() if trouble}
