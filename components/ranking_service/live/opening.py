"""From a home to what answers come from. What cannot be opened is stood in for, and said; the rest goes on.

::

    environments/<env>.json ─▶ champion ─┐
    models/…/latest ─────────▶ challenger ├─▶ Live
    experiments/<env>.toml ──▶ arms ──────┤
    online store ────────────▶ item rows ─┘
"""

from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from components.bundles.loading import Bundle, check_rankable, load_ranker
from components.bundles.manifest import manifest_bytes
from components.bundles.promotion import check_promotable, named_bundle
from components.bundles.scoring import Ranker, ranker_from
from components.bundles.store import find_bundle, published_folders
from components.contracts.errors import BundleError, ConfigurationError, PromotionError, StoreError
from components.experiments.experiment import LATEST, ArmName, Experiment, experiment_file, read_experiment
from components.home.shop_note import read_shop_note, run_command
from components.home.tombstones import TombstoneView
from components.ranking.baselines import BASELINE_NAMES
from components.ranking.candidates import Assortment, assortment
from components.ranking.features import feature_list
from components.ranking_service.answering.answers import Fallback
from components.ranking_service.answering.catalogue import Catalogue, read_catalogue
from components.ranking_service.answering.online_rows import OnlineRows, StoredItems
from components.ranking_service.answering.recommender import Recommender
from components.ranking_service.answering.sessions import Sessions
from components.ranking_service.live.home_time import HomeTime
from components.ranking_service.live.row_counts import RowCount, RowCounts
from components.ranking_service.live.stand_in import baseline_of, stand_in
from components.ranking_service.live.state import Live
from components.ranking_service.page.storefront import storefront_of
from components.ranking_service.settings import ServiceSettings
from components.shop.settings import Candidates
from feature_repo.packed_online_store.client import MICROSECOND, PackedClient, microseconds
from feature_repo.packed_online_store.clock import wall_clock
from feature_repo.project import PROJECT

OPENING_SECONDS = 2.0  # how long a call may take that reads many rows: a store that stands still holds nothing up
REFUSED = (BundleError, PromotionError, OSError)
_Making = tuple[str, bytes, bytes | None, Fallback | None, str | None]  # what a recommender is made of


@dataclass
class _Shelf:
    """The items of one feature revision, as they were last read."""

    rows: OnlineRows
    items: StoredItems
    catalogue: Catalogue
    counts: RowCounts
    refused: bytes | None = b""
    trouble: str | None = None  # why newer rows were not taken, those of the mark ``refused``
    assortments: dict[str, Assortment] = field(default_factory=dict)

    def stock(self, limits: Candidates) -> Assortment:
        """What the candidates of all users share, found once for bundles of equal limits."""
        key = limits.model_dump_json()
        if key not in self.assortments:
            self.assortments[key] = assortment(self.items.rows, limits)
        return self.assortments[key]


class Opening:
    """Makes ``Live``, again whenever something changes; rows, models and catalogues that did not change are kept."""

    def __init__(self, settings: ServiceSettings, sessions: Sessions, forgotten: TombstoneView) -> None:
        """Open nothing yet; the page does not list who is ``forgotten``.

        Raises:
            ConfigurationError: no run has made a home there.
        """
        self.settings, self.sessions, self._forgotten = settings, sessions, forgotten
        self.shop = read_shop_note(settings.home).shop
        self._advice = f"{run_command(settings.home)} writes them again"
        self.time = HomeTime(settings.home.feedback, lambda: self._client("", bounded=True), self._advice)
        self._shelves: dict[str, _Shelf] = {}
        self._rankers: dict[str, Ranker] = {}
        self._opened: dict[_Making, Recommender] = {}

    def live(self, before: Live | None = None) -> Live:
        """Open everything; what is bad now stays as it was before, or is stood in for.

        Raises:
            StoreError: the store cannot be reached, or has no rows for what must be served.
        """
        self.time.advance()
        trouble: dict[str, str] = {}
        arms: dict[ArmName, Recommender] = {"champion": self._champion(before, trouble)}
        experiment = self._experiment(before, trouble)
        try:
            arms["challenger"] = self._recommender(self._challenger(experiment))
        except (*REFUSED, StoreError) as error:
            trouble["challenger"] = str(error)
        champion = arms["champion"]
        try:
            arms["baseline"] = self._recommender(baseline_of(champion.bundle))
        except (*REFUSED, StoreError) as error:
            trouble["baseline"] = str(error)
        shelf = self._shelves[champion.bundle.manifest.feature_revision]
        if shelf.catalogue.trouble:
            trouble["catalogue"] = shelf.catalogue.trouble
        if shelf.trouble:
            trouble["online rows"] = shelf.trouble
        storefront = storefront_of(self.settings, self.shop, arms, experiment, shelf.catalogue, self._forgotten)
        self._forget_unused(arms)
        return Live(arms, experiment, shelf.catalogue, storefront, shelf.items.newest, trouble)

    def close(self) -> None:
        """Let go of the store."""
        for shelf in self._shelves.values():
            shelf.rows.close()

    def count_rows(self, live: Live) -> None:
        """Look whether the rows of what is live are still there.

        Raises:
            StoreError: the store cannot be read.
        """
        shelf = self._shelves.get(live.champion.bundle.manifest.feature_revision)
        if shelf is not None:
            shelf.rows.items_mark()  # a store that stands still is not waited for longer than this
            shelf.counts.look(shelf.rows.client)

    def row_counts(self, live: Live) -> Mapping[str, RowCount]:
        """Return what the last look came to, by view."""
        shelf = self._shelves.get(live.champion.bundle.manifest.feature_revision)
        return shelf.counts.counts if shelf is not None else {}

    def items_mark(self, live: Live) -> bytes | None:
        """A mark that changes when the rows of the live items are written anew."""
        return live.champion.rows.items_mark()

    def _champion(self, before: Live | None, trouble: dict[str, str]) -> Recommender:
        try:
            return self._recommender(named_bundle(self.settings.home, self.shop, "champion", self.settings.environment))
        except REFUSED as error:
            trouble["champion"] = str(error)
        if before is not None and before.champion.degraded is None:
            return self._recommender(before.champion.bundle)
        known = self._any_bundle()
        return self._recommender(stand_in(self.shop, self._newest_revision(), known), Fallback.NO_BUNDLE)

    def _challenger(self, experiment: Experiment | None) -> Bundle:
        """The bundle that is tried, which the gate must have let through if users are to get it; else the newest.

        Raises:
            BundleError: there is none.
            PromotionError: it is not for users.
        """
        name = (experiment and experiment.challenger_bundle) or LATEST
        found = find_bundle(self.settings.home.models, self.shop, name)
        if experiment and experiment.arms.challenger:
            check_promotable(found)
        return found

    def _experiment(self, before: Live | None, trouble: dict[str, str]) -> Experiment | None:
        try:
            return read_experiment(experiment_file(self.settings.home, self.settings.environment))
        except ConfigurationError as error:
            trouble["experiment"] = str(error)
            return before.experiment if before else None

    def _recommender(self, bundle: Bundle, degraded: Fallback | None = None) -> Recommender:
        """The recommender of a bundle over its items as they are now; the one that was made before, if both stand.

        Raises:
            BundleError: the bundle's parts disagree, or it was made for other feature code or rows.
            StoreError: its rows cannot be read.
        """
        check_rankable(bundle.manifest, feature_list(), bundle.manifest.feature_revision)
        shelf = self._shelf(bundle.manifest.feature_revision)
        key = (bundle.digest, manifest_bytes(bundle.manifest), shelf.items.mark, degraded, shelf.catalogue.trouble)
        if key not in self._opened:
            ranker = self._ranker(bundle)
            limits = Candidates(**bundle.manifest.candidates)
            self._opened[key] = Recommender(
                bundle,
                ranker,
                shelf.rows,
                shelf.stock(limits),
                shelf.catalogue,
                self.sessions,
                self.now,
                degraded=degraded,
                is_stale=self._staleness(shelf.items.newest),
                lacks_items=shelf.counts.is_short("item_features"),
            )
            self._opened[key].warm_up()
        return self._opened[key]

    def _ranker(self, bundle: Bundle) -> Ranker:
        """A bundle's trees, read once: new item rows do not need the bundle's folder again."""
        if not bundle.manifest.blend:
            return ranker_from(bundle.manifest, {}, baseline_names=BASELINE_NAMES)
        if bundle.digest not in self._rankers:
            self._rankers[bundle.digest] = load_ranker(bundle)
        return self._rankers[bundle.digest]

    def now(self) -> int:
        """The home's present moment, in microseconds since 1970."""
        return microseconds(self.time())

    def _staleness(self, newest: int) -> Callable[[], bool]:
        bound = timedelta(days=self.settings.live.stale_after_days) // MICROSECOND
        return lambda: self.now() - newest > bound

    def _shelf(self, revision: str) -> _Shelf:
        """The items of a revision, read again if they were written again; what the store lost is kept.

        Raises:
            StoreError: there are no rows, or they cannot be read, and none were read before.
        """
        known = self._shelves.get(revision)
        if known is None:
            self._shelves[revision] = self._stocked(revision, self._rows(revision))
        elif self._is_rewritten(known):
            self._shelves[revision] = self._restocked(revision, known)
        elif known.catalogue.trouble:
            self._shelves[revision] = replace(known, catalogue=read_catalogue(self.settings.home, known.items.rows))
        return self._shelves[revision]

    def _stocked(self, revision: str, rows: OnlineRows) -> _Shelf:
        counts = RowCounts(self.settings.home, revision, self._forgotten, self._advice)
        items = rows.items()
        with suppress(StoreError):
            counts.look(rows.client)
        rows.lacks_users = lambda: counts.is_short("user_features")
        return _Shelf(rows, items, read_catalogue(self.settings.home, items.rows), counts)

    def _restocked(self, revision: str, known: _Shelf) -> _Shelf:
        """Return the shelf to go on with: the one before for as long as the store has lost items that it holds."""
        known.refused = known.rows.items_mark()
        before = len(known.items.rows)
        try:
            fresh = self._stocked(revision, known.rows)
        except StoreError as error:
            known.trouble = f"{error}; the {before:,} item rows read before are kept: {self._advice}"
            return known
        there = len(fresh.items.rows)
        if not fresh.counts.is_short("item_features") or there >= before:
            return fresh
        known.counts = fresh.counts
        known.trouble = f"found {there:,} of {before:,} item rows; those read before are kept: {self._advice}"
        return known

    def _is_rewritten(self, shelf: _Shelf) -> bool:
        """Whether the rows of a shelf were written anew; a store that does not say so changes nothing."""
        try:
            return shelf.rows.items_mark() not in (shelf.items.mark, shelf.refused)
        except StoreError:
            return False

    def _rows(self, revision: str) -> OnlineRows:
        client = self._client(revision)
        if not client.has("item_features"):
            client.close()
            raise BundleError(
                f"{client.backend.url}: found no rows of feature revision {revision}, which the bundle was made for;"
                f" {self._advice}, unless it was made by other code: then promote another bundle"
            )
        return OnlineRows(client, self._client(revision, bounded=True))

    def _any_bundle(self) -> Bundle | None:
        for folder in published_folders(self.settings.home.models, self.shop):
            with suppress(*REFUSED):
                return find_bundle(self.settings.home.models, self.shop, folder.name)
        return None

    def _newest_revision(self) -> str:
        """The feature revision whose item rows are the newest.

        Raises:
            StoreError: there are no rows of any.
        """
        with closing(self._client("")) as client:
            revisions = client.revisions("item_features")
        if not revisions:
            raise StoreError(f"{client.backend.url}: found no item rows, expected some: {self._advice}")
        return max(revisions, key=lambda found: (self._written_at(found), found))

    def _written_at(self, revision: str) -> int:
        """Event time of the newest item row of a revision, as its mark tells it."""
        with closing(self._client(revision)) as client:
            mark = client.written("item_features")
        return int.from_bytes((mark or b"")[:8], "little", signed=True)

    def _client(self, revision: str, bounded: bool = False) -> PackedClient:
        home, deadline = self.settings.home, self.settings.live.store_deadline_ms / 1000
        return PackedClient.open(
            home.online_url,
            project=PROJECT,
            revision=revision,
            clock=self.time.clock or wall_clock,
            deadline_seconds=deadline if bounded else max(deadline, OPENING_SECONDS),
        )

    def _forget_unused(self, arms: dict[ArmName, Recommender]) -> None:
        """Let go of models and rows that no arm uses any more."""
        used = set(map(id, arms.values()))
        self._opened = {key: found for key, found in self._opened.items() if id(found) in used}
        digests = {found.bundle.digest for found in arms.values()}
        self._rankers = {digest: found for digest, found in self._rankers.items() if digest in digests}
        revisions = {found.bundle.manifest.feature_revision for found in arms.values()}
        for revision in self._shelves.keys() - revisions:
            self._shelves.pop(revision).rows.close()
