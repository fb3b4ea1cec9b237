from collections.abc import Iterator
from pathlib import Path

import pytest

from components.bundles.loading import Bundle
from components.home.layout import Home
from tests.components.gitops.bench import Bench, bench, publish
from tests.forges.github import GitHub


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose bundles nobody changes."""
    return Home(tmp_path_factory.mktemp("gitops") / "home")


@pytest.fixture(scope="session")
def bundles(home: Home) -> list[Bundle]:
    """Published bundles, the oldest first."""
    return [publish(home, number) for number in range(1, 7)]


@pytest.fixture
def github(tmp_path: Path, home: Home) -> Iterator[Bench]:
    with bench(tmp_path, GitHub, home) as made:
        yield made


@pytest.fixture
def alone(tmp_path: Path, home: Home) -> Iterator[Bench]:
    """A repository without a forge."""
    with bench(tmp_path, None, home) as made:
        yield made
