"""A home works wherever a folder can be, from the sources to Feast's shell."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from components.build_features.snapshots import build_features
from components.features.snapshots.sets import open_set
from components.home.layout import Home
from components.materialize_features.materialization import materialize_features
from components.materialize_features.packed_rows import open_client
from feature_repo.point_in_time import point_in_time
from tests.components.build_features.homes import habits, quiet
from tests.shop_files import PURCHASES, ShopFolder, shop_folder

# Ibis 12 reads a DuckDB 2 table's schema through a method that DuckDB deprecates; goes with Ibis 13.
pytestmark = [
    pytest.mark.slow(seconds=40),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:feast"),
    pytest.mark.filterwarnings("ignore::UserWarning:feast"),
]

WEEKS = "\n[training]\nsnapshots = 2\nmin_requests = 5\n[gate]\nheldout_horizons = 2\nmin_users = 5\n"
REPO = Path(__file__).parents[2] / "feature_repo"
ROWS = "customer,article,bought_at\n"


def corner_shop(folder: Path) -> ShopFolder:
    rows = "".join(f"{row['user_id']},{row['item_id']},{row['event_time'].isoformat()}\n" for row in habits(days=60))
    return shop_folder(folder, PURCHASES + WEEKS, purchases=ROWS + rows)


@pytest.mark.parametrize("name", ["my shop ü #1: 100%", "what? all* {b}", "a=1 l'étal"])
def test_a_home_with_any_name_goes_online(tmp_path: Path, name: str) -> None:
    (tmp_path / name.replace("?", "x").replace("*", "y")).mkdir()  # what a pattern would find beside it
    shop = corner_shop(tmp_path / name)
    clean = shop.validate().handle
    features = build_features(shop.shop(), shop.home, clean, quiet).handle
    materialize_features(shop.shop(), shop.home, features, quiet)

    chosen = open_set(features)
    with point_in_time(chosen, shop.home) as known:
        request = chosen.as_of + timedelta(hours=1)
        located = known.located("user_features", {request: pa.array(["u1", "nobody"])})[request]
        assert known.rows("user_features", request, located)["user_id"].to_pylist() == ["u1"]
    with open_client(shop.home, chosen) as client:
        trips = client.read_matrix("user_features", ["u1"], ["trips"]).tolist()[0]
    assert trips[0] > 0
    assert list(tmp_path.rglob("data.mdb")) == [shop.home.root / "online" / "data.mdb"]
    settings = yaml.safe_load((shop.home.feature_store / "feature_store.yaml").read_text())
    assert Path(settings["registry"]["path"]).exists()
    assert settings["online_store"]["url"] == f"home://{shop.home.root}"
    assert feast_reads(shop.home, "u1") == trips


FEAST = """
import sys
from feast import FeatureStore
from feast.cli.cli import cli
repository, user, *span = sys.argv[1:]
for line in (["apply"], ["materialize", *span]):
    cli(line, standalone_mode=False)
found = FeatureStore(repository).get_online_features(["user_features:trips"], [{"user_id": user}])
print(found.to_dict()["trips"][0])
"""


def feast_reads(home: Home, user: str) -> list[float]:
    """A user's trips as Feast reads them through the committed repository, after its shell's apply and materialize.

    All in one process: Feast takes seconds to import.
    """
    span = ["2023-01-01T00:00:00", "2030-01-01T00:00:00"]
    words = [sys.executable, "-W", "ignore", "-c", FEAST, str(REPO), user, *span]
    environment = {**os.environ, "RANKLOOP_HOME": str(home.root)}
    ended = subprocess.run(words, cwd=REPO, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return [float(ended.stdout.splitlines()[-1])]
