"""From an environment's pointer to a recommender that answers."""

from components.bundles.loading import Bundle, check_revision, load_ranker
from components.bundles.promotion import named_bundle
from components.contracts.shop import Candidates
from components.ranking.candidates import assortment
from components.ranking.features import feature_list
from components.ranking_service.online_rows import OnlineRows
from components.ranking_service.recommender import Recommender
from components.ranking_service.settings import ServiceSettings
from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.clock import wall_clock
from feature_repo.project import PROJECT


def live_bundle(settings: ServiceSettings) -> Bundle:
    """Open the bundle that the environment serves.

    Raises:
        BundleError: nothing was promoted, or the bundle was tampered with or made for other feature code.
        ConfigurationError: no run has made a home there.
    """
    bundle = named_bundle(settings.home, settings.shop, "champion", settings.environment)
    check_revision(bundle.manifest, feature_list(), bundle.manifest.feature_revision)
    return bundle


def open_recommender(settings: ServiceSettings) -> Recommender:
    """Open the live bundle, and the online rows of the features that it was made for.

    Raises:
        BundleError, ConfigurationError: as ``live_bundle``.
        StoreError: the store cannot be reached, or holds no rows of these features.
    """
    bundle = live_bundle(settings)
    rows = OnlineRows(_client(settings, bundle))
    stock = assortment(rows.items(), Candidates(**bundle.manifest.candidates))
    return Recommender(bundle, load_ranker(bundle), rows, stock)


def _client(settings: ServiceSettings, bundle: Bundle) -> PackedClient:
    revision = bundle.manifest.feature_revision
    client = PackedClient.open(settings.home.online_url, project=PROJECT, revision=revision, clock=wall_clock)
    clock = client.stored_clock()
    return PackedClient(client.backend, project=PROJECT, revision=revision, clock=clock) if clock else client
