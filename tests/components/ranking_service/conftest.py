"""A shop whose service is asked: one for all tests of a module."""

from collections.abc import Iterator

import pytest

from components.ranking_service.live.serving import Serving
from tests.components.ranking_service.served_shop import Caller, Stocked, caller_of, serving, stocked


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Stocked:
    return stocked(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def live(shop: Stocked) -> Iterator[Serving]:
    with serving(shop.home) as found:
        yield found


@pytest.fixture
def client(live: Serving) -> Caller:
    return caller_of(live)
