import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.build_features.snapshots import build_features
from components.features.snapshots.sets import VIEWS, FeatureSet, open_set
from components.home.layout import Home
from components.materialize_features.materialization import materialize_features
from components.materialize_features.packed_rows import open_client, packed_view
from components.ranking_service.answering.sessions import SessionEvent, Sessions
from tests.components.build_features.homes import home_of, quiet, small_shop
from tests.components.features.frames import on

# Ibis 12 reads a DuckDB 2 table's schema through a method that DuckDB deprecates; goes with Ibis 13.
pytestmark = [
    pytest.mark.slow(seconds=40),
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


def _rows_online(home: Home, chosen: FeatureSet) -> dict[str, dict[str, list[object]]]:
    """Every row of both views as the fast path reads it, NaN as None."""
    found = {}
    with open_client(home, chosen) as client:
        for view in VIEWS:
            packed = packed_view(chosen, view)
            ids = pq.read_table(chosen.newest(view), columns=list(packed.join_keys)).column(0).to_pylist()
            rows = client.read(packed, ids)
            scalars = [field.name for field in packed.schema.fields if not field.type.startswith("list")]
            lists = [field.name for field in packed.schema.fields if field.type.startswith("list")]
            matrix = rows.matrix(scalars)
            found[view] = {"ids": ids, "scalars": np.where(np.isnan(matrix), None, matrix).tolist()}
            for name in lists:
                array = rows.arrays(name)
                found[view][name] = [array.offsets.tolist(), array.values.tolist()]
    return found


def test_feast_from_the_shell_writes_the_rows_that_the_step_writes(tmp_path):
    home, clean = home_of(tmp_path)
    features = build_features(small_shop(), home, clean, quiet).handle
    materialize_features(small_shop(), home, features, quiet)
    chosen = open_set(features)
    written = _rows_online(home, chosen)
    with open_client(home, chosen) as client:
        assert all(client.delete_revision(view, chosen.revision) for view in VIEWS)
    _feast(tmp_path, "apply")
    assert "user_features" in _feast(tmp_path, "feature-views", "list")
    assert f"ranking_{chosen.revision[:8]}" in _feast(tmp_path, "feature-services", "list")
    _feast(tmp_path, "materialize", on(60).isoformat(), on(71).isoformat())
    assert _rows_online(home, chosen) == written
    with open_client(home, chosen) as client:
        assert client.revisions("user_features") == [chosen.revision]
    users = written["user_features"]["ids"][:3]
    assert _trips(tmp_path, users) == _read_trips(home, chosen, users)


def test_feast_reads_the_sessions_that_the_service_writes(tmp_path):
    home, clean = home_of(tmp_path)
    features = build_features(small_shop(), home, clean, quiet).handle
    materialize_features(small_shop(), home, features, quiet)
    chosen = open_set(features)
    sessions = Sessions()
    at = int(on(71).timestamp() * 1e6)
    sessions.add(
        [SessionEvent("u1", 3, "view", at), SessionEvent("u1", 4, "purchase", at + 1, units=2.0)], lambda _: None
    )
    with open_client(home, chosen) as client:
        assert sessions.write(client) == 1
    columns = ("item", "kind", "time", "units")
    found = _read(tmp_path, [f"session_features:session_{name}" for name in columns], ["u1", "u2"])
    assert [found[f"session_{name}"][0] for name in columns] == [[3, 4], ["view", "purchase"], [at, at + 1], [1.0, 2.0]]
    assert [found[f"session_{name}"][1] for name in columns] == [None] * 4


def _trips(home: Path, users: list[object]) -> list[object]:
    return _read(home, ["user_features:trips"], users)["trips"]


def _read(home: Path, features: list[str], users: list[object]) -> dict[str, list[object]]:
    """Features of users as Python reads them through the committed repository."""
    code = (
        "import json, sys; from feast import FeatureStore; features, users = map(json.loads, sys.argv[1:]); "
        "rows = [{'user_id': user} for user in users]; "
        "print(json.dumps(FeatureStore('feature_repo').get_online_features(features, rows).to_dict()))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, json.dumps(features), json.dumps(users)],
        cwd=REPO.parent,
        env={**os.environ, "RANKLOOP_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, list[object]] = json.loads(done.stdout.splitlines()[-1])
    return document


def _read_trips(home: Home, chosen: FeatureSet, users: list[object]) -> list[object]:
    with open_client(home, chosen) as client:
        return client.read_matrix(packed_view(chosen, "user_features"), users, ["trips"])[:, 0].tolist()


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
