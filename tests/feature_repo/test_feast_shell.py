import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.build_features.snapshots import build_features
from components.features.sets import read_set
from components.materialize_features.materialization import materialize_features
from tests.components.build_features.homes import home_of, quiet, small_shop
from tests.components.features.frames import on

# Ibis 12 reads a DuckDB 2 table's schema through a method that DuckDB deprecates; goes with Ibis 13.
pytestmark = [
    pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:feast"),
    pytest.mark.filterwarnings("ignore::UserWarning:feast"),
]

REPO = Path(__file__).parents[2] / "feature_repo"
FEAST = Path(sys.executable).with_name("feast")


def _feast(home: Path, *words: str) -> str:
    done = subprocess.run(
        [str(FEAST), *words], cwd=REPO, env={**os.environ, "RANKLOOP_HOME": str(home)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_apply_and_materialize_work_from_the_shell(tmp_path):
    home, clean = home_of(tmp_path)
    features = build_features(small_shop(), home, clean, quiet).features
    materialize_features(small_shop(), home, features, quiet)
    revision = read_set(Path(features.uri)).revision
    _feast(tmp_path, "apply")
    assert f"ranking_{revision[:8]}" in _feast(tmp_path, "feature-services", "list")
    _feast(tmp_path, "materialize", on(60).isoformat(), on(71).isoformat())
    read = _feast(tmp_path, "get-online-features", "--entities", "user_id=u1", "-f", "user_features:trips")
    assert "trips" in read


def test_without_a_home_the_shell_says_what_to_set():
    environment = {name: value for name, value in os.environ.items() if name != "RANKLOOP_HOME"}
    done = subprocess.run(
        [sys.executable, "-c", "import feature_repo.current_home"],
        cwd=REPO.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "RANKLOOP_HOME is not set" in done.stderr
