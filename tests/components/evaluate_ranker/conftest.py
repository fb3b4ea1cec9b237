"""What most tests of the gate start from."""

from pathlib import Path

import pytest

from tests.components.evaluate_ranker.judging import Bench, set_up


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return set_up(tmp_path)
