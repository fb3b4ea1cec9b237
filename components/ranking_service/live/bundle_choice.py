"""Which bundles answer: the promoted one, the one that an experiment tries, and any other that can be opened."""

from contextlib import suppress

from components.bundles.digest import NO_BUNDLE
from components.bundles.loading import Bundle
from components.bundles.promotion import check_promotable, named_bundle
from components.bundles.signing.trust import trust_of
from components.bundles.store import find_bundle, published_names
from components.contracts.errors import BundleError, ConfigurationError, PromotionError, StorageError
from components.experiments.experiment import LATEST, Experiment
from components.home.shop_note import read_shop_note
from components.ranking_service.settings import BUNDLE, ServiceSettings

UNUSABLE = (BundleError, PromotionError, ConfigurationError, StorageError, OSError)


class BundleChoice:
    """Opens bundles of one home's shop, for one environment."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Read which shop it is.

        Raises:
            ConfigurationError: no run has made a home there.
        """
        self._home, self._environment, self._bundle = settings.home, settings.environment, settings.bundle
        self._signing = settings.signing
        self.shop = read_shop_note(settings.home).shop

    def champion(self) -> Bundle:
        """Open the bundle that the settings name, or else the one that was promoted.

        Raises:
            BundleError, PromotionError: there is none, it is damaged, or the gate refused the one that is named.
            UnverifiedBundleError: its signature is not accepted.
        """
        if self._bundle:
            return self._accepted(self._named(self._bundle))
        return self._accepted(named_bundle(self._home, self.shop, "champion", self._environment))

    def challenger(self, experiment: Experiment | None) -> Bundle:
        """Open the bundle that an experiment names; without one the newest.

        Raises:
            BundleError: there is none.
            PromotionError: users are to get it, and the gate did not let it through.
            UnverifiedBundleError: its signature is not accepted.
        """
        name = (experiment and experiment.challenger_bundle) or LATEST
        bundle = self._accepted(find_bundle(self._home.models, self.shop, name))
        if experiment and experiment.arms.challenger:
            check_promotable(bundle)
        return bundle

    def _named(self, digest: str) -> Bundle:
        """Open a bundle that may have been named by hand, so that its verdict is looked at again."""
        if digest == NO_BUNDLE:
            raise BundleError(
                f"{BUNDLE} is all zeros: nothing was promoted in Git yet; merge the pull request of a promotion"
            )
        bundle = find_bundle(self._home.models, self.shop, digest)
        check_promotable(bundle)
        return bundle

    def any_published(self) -> Bundle | None:
        """Open some bundle of the shop; None where none can be opened."""
        for name in published_names(self._home.models, self.shop):
            with suppress(*UNUSABLE):
                return self._accepted(find_bundle(self._home.models, self.shop, name))
        return None

    def _accepted(self, bundle: Bundle) -> Bundle:
        """Check a bundle's signature, by the keys as they are now: they may be replaced while the service runs."""
        trust_of(self._home, self._environment, self._signing.verify_keys, self._signing.signatures).check(bundle)
        return bundle
