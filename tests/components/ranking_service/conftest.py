"""A shop whose service is asked: one for all tests of a module."""

from collections.abc import Iterator

import pytest

from components.ranking_service.live.serving import Serving
from tests.components.ranking_service.served_shop import Caller, Stocked, caller_of, serving, stocked
from tests.kept_folder import KeptFolder


@pytest.fixture(scope="session")
def stocked_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stocked, KeptFolder]:
    shop = stocked(tmp_path_factory.mktemp("stocked"))
    return shop, KeptFolder(shop.home.root.parent)


@pytest.fixture(scope="module")
def stocked_shop(stocked_once: tuple[Stocked, KeptFolder]) -> Stocked:
    """The stocked shop, with nothing left of what other files of tests did in it."""
    shop, kept = stocked_once
    kept.restore()
    return shop


@pytest.fixture(scope="module")
def shop(stocked_shop: Stocked) -> Stocked:
    return stocked_shop


@pytest.fixture(scope="module")
def live(shop: Stocked) -> Iterator[Serving]:
    with serving(shop.home) as found:
        yield found


@pytest.fixture
def client(live: Serving) -> Caller:
    return caller_of(live)
