"""An engine, and the images that it builds: each target once for a file of tests."""

from collections.abc import Iterator

import pytest

from tests.container.docker_engine import Docker, docker_engine
from tests.container.images import Images, images_of


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    with docker_engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def images(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    with images_of(docker, tmp_path_factory.mktemp("images")) as found:
        yield found
