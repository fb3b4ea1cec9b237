"""Which bundles answer: the promoted one, the one that an experiment tries, and any other that can be opened."""

from contextlib import suppress

from components.bundles.loading import Bundle
from components.bundles.promotion import check_promotable, named_bundle
from components.bundles.store import find_bundle, published_names
from components.contracts.errors import BundleError, ConfigurationError, PromotionError, StorageError
from components.experiments.experiment import LATEST, Experiment
from components.home.shop_note import read_shop_note
from components.ranking_service.settings import ServiceSettings

UNUSABLE = (BundleError, PromotionError, ConfigurationError, StorageError, OSError)


class BundleChoice:
    """Opens bundles of one home's shop, for one environment."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Read which shop it is.

        Raises:
            ConfigurationError: no run has made a home there.
        """
        self._home, self._environment = settings.home, settings.environment
        self.shop = read_shop_note(settings.home).shop

    def champion(self) -> Bundle:
        """Open the bundle that was promoted.

        Raises:
            BundleError, PromotionError: there is none, or it is damaged.
        """
        return named_bundle(self._home, self.shop, "champion", self._environment)

    def challenger(self, experiment: Experiment | None) -> Bundle:
        """Open the bundle that an experiment names; without one the newest.

        Raises:
            BundleError: there is none.
            PromotionError: users are to get it, and the gate did not let it through.
        """
        name = (experiment and experiment.challenger_bundle) or LATEST
        bundle = find_bundle(self._home.models, self.shop, name)
        if experiment and experiment.arms.challenger:
            check_promotable(bundle)
        return bundle

    def any_published(self) -> Bundle | None:
        """Open some bundle of the shop; None where none can be opened."""
        for name in published_names(self._home.models, self.shop):
            with suppress(*UNUSABLE):
                return find_bundle(self._home.models, self.shop, name)
        return None
