"""Feast as its users drive it: from the shell and through FeatureStore, on both backends."""

import asyncio
import shutil
import subprocess
import sys
import uuid
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from feast import FeatureStore, RepoConfig
from pydantic import ValidationError

from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.clock import StoredClock
from feature_repo.packed_online_store.feast.views import write_feature_view
from tests.feature_repo.packed_online_store.conftest import AS_OF

pytestmark = pytest.mark.slow(seconds=60)

FEAST = Path(sys.executable).with_name("feast")
DAY = timedelta(days=1)
ROWS = 2_500


def make_repository(folder: Path, store_url: str) -> Path:
    """Make a repository whose sources end a day before AS_OF; its views are not applied yet."""
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("shop_features.py"), folder / "features.py")
    settings = {
        "project": f"shop_{uuid.uuid4().hex[:8]}",
        "provider": "local",
        "registry": "registry.db",
        "entity_key_serialization_version": 3,
        "offline_store": {"type": "dask"},  # of Feast's local ones the only that materializes views without entities
        "online_store": {
            "type": "feature_repo.packed_online_store.feast.online_store.PackedOnlineStore",
            "url": "lmdb://online" if store_url.startswith("lmdb") else store_url,
            "revision": "r1",
        },
        "materialization": {"online_write_batch_size": 1_000},
    }
    (folder / "feature_store.yaml").write_text(yaml.safe_dump(settings))
    users_table(AS_OF - DAY).to_parquet(folder / "users.parquet", coerce_timestamps="us")
    pair = {"user_id": ["u1", "u1", "u2"], "item_id": [7, 8, 7], "bought": [1, 2, 3]}
    pd.DataFrame({**pair, "seen_at": AS_OF - DAY}).to_parquet(folder / "pairs.parquet", coerce_timestamps="us")
    pd.DataFrame({"week": [34], "seen_at": [AS_OF - DAY]}).to_parquet(folder / "season.parquet", coerce_timestamps="us")
    return folder


def users_table(seen_at: datetime) -> pd.DataFrame:
    numbers = range(ROWS)
    return pd.DataFrame(
        {
            "user_id": [f"u{number}" for number in numbers],
            "trips": numbers,
            "spend": [number / 2 for number in numbers],
            "history": [[number, number + 1] for number in numbers],
            "city": [None if number % 2 else "Köln" for number in numbers],
            "extra": ['{"a": 1}' for _ in numbers],
            "seen_at": seen_at,
        }
    )


def feast(folder: Path, *arguments: str) -> None:
    ended = subprocess.run([FEAST, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


SEVERAL = """
import sys
from feast.cli.cli import cli
for line in sys.argv[1:]:
    cli(line.split(), standalone_mode=False)
"""


def feast_lines(folder: Path, *lines: str) -> None:
    """Run several lines of the shell in one process: Feast takes seconds to import."""
    ended = subprocess.run(
        [sys.executable, "-c", SEVERAL, *lines], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def stand_at(store: FeatureStore, moment: datetime) -> None:
    """Set the home's clock in the store, as the materialize step does."""
    with closing(client_of(store, moment)) as client:
        client.set_clock(StoredClock(moment))


def client_of(store: FeatureStore, moment: datetime) -> PackedClient:
    url = store.config.online_store.url
    url = f"lmdb://{store.repo_path / 'online'}" if url.startswith("lmdb") else url
    return PackedClient.open(url, project=store.project, revision="r1", clock=lambda: moment)


def online(store: FeatureStore, features: Any, rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return store.get_online_features(features=features, entity_rows=rows).to_dict()


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


@pytest.fixture(scope="module", params=["lmdb", "redis"])
def materialized(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """A store applied and materialized from the shell, whose home stands at AS_OF; tests write users of their own."""
    url = "lmdb://" if request.param == "lmdb" else request.getfixturevalue("redis_url")
    repository = make_repository(tmp_path_factory.mktemp("feast") / "repository", url)
    feast_lines(repository, "apply", f"materialize {iso(AS_OF - 10 * DAY)} {iso(AS_OF)}")
    store = FeatureStore(repo_path=str(repository))
    assert online(store, ["users:trips"], [{"user_id": "u5"}])["trips"] == [None], "by the wall clock, 2017 has expired"
    stand_at(store, AS_OF)
    return store


def test_what_the_shell_materialized_is_read(materialized: FeatureStore) -> None:
    features = ["users:trips", "users:history", "users:city", "users:extra", "season:week"]
    answer = online(materialized, features, [{"user_id": f"u{number}"} for number in (2, ROWS - 1, ROWS)])
    assert answer["trips"] == [2, ROWS - 1, None]
    assert answer["history"] == [[2, 3], [ROWS - 1, ROWS], None]
    assert answer["city"] == ["Köln", None, None]
    assert answer["extra"] == [{"a": 1}, {"a": 1}, None]
    assert answer["week"] == [34, 34, 34]


def test_rows_expire_by_the_clock_that_the_home_keeps_in_the_store(materialized: FeatureStore) -> None:
    try:
        stand_at(materialized, AS_OF + 29 * DAY)
        assert online(materialized, ["users:trips"], [{"user_id": "u5"}])["trips"] == [5]
        stand_at(materialized, AS_OF + 29 * DAY + timedelta(microseconds=1))
        assert online(materialized, ["users:trips"], [{"user_id": "u5"}])["trips"] == [None]
    finally:
        stand_at(materialized, AS_OF)


def test_a_feature_service_joins_views_of_every_kind(materialized: FeatureStore) -> None:
    rows = [{"user_id": "u1", "item_id": 8}, {"user_id": "u2", "item_id": 7}, {"user_id": "u2", "item_id": 8}]
    answer = online(materialized, materialized.get_feature_service("ranking"), rows)
    assert answer["bought"] == [2, 3, None]
    assert answer["spend_per_trip"] == [0.5, 0.5, 0.5]
    assert answer["week"] == [34, 34, 34]


def test_rows_can_be_pushed_and_written_but_never_back_in_time(materialized: FeatureStore) -> None:
    columns = {"spend": 1.5, "history": [[5]], "city": "Bonn", "extra": "{}"}

    def row(trips: int, seen_at: datetime) -> pd.DataFrame:
        return pd.DataFrame({"user_id": ["pushed"], "trips": trips, **columns, "seen_at": pd.to_datetime([seen_at])})

    def trips() -> list[Any]:
        return online(materialized, ["users:trips"], [{"user_id": "pushed"}])["trips"]

    materialized.push("pushed_users", row(1, AS_OF))
    assert trips() == [1]
    materialized.write_to_online_store("users", row(2, AS_OF - DAY))
    assert trips() == [1]
    materialized.write_to_online_store("users", row(3, AS_OF + DAY))
    assert trips() == [3]


def test_on_demand_features_are_written_too(materialized: FeatureStore) -> None:
    features = ["written_ratios:double_trips", "users:trips"]
    answer = online(materialized, features, [{"user_id": "u4"}])
    assert (answer["double_trips"], answer["trips"]) == ([8], [4])


def test_features_are_read_without_waiting(materialized: FeatureStore) -> None:
    rows = [{"user_id": "u4"}, {"user_id": "nobody"}]
    answer = asyncio.run(materialized.get_online_features_async(features=["users:trips"], entity_rows=rows))
    assert answer.to_dict()["trips"] == [4, None]


def test_the_table_of_a_view_can_be_written_directly(materialized: FeatureStore) -> None:
    view = materialized.get_feature_view("users")
    table = pa.Table.from_pandas(users_table(AS_OF).assign(trips=70)).slice(70, 10)
    with closing(client_of(materialized, AS_OF)) as client:
        assert write_feature_view(client, view, table).written == 10
        assert client.read_matrix("users", ["u70", "u80"], ["trips"]).tolist() == [[70], [80]]
    assert online(materialized, ["users:trips"], [{"user_id": "u79"}])["trips"] == [70]


def test_the_shell_materializes_what_is_new_and_tears_down(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository", "lmdb://")
    feast(repository, "apply")
    store = FeatureStore(repo_path=str(repository))
    store.materialize(AS_OF - 10 * DAY, AS_OF)
    users_table(AS_OF + DAY).assign(trips=1).to_parquet(repository / "users.parquet", coerce_timestamps="us")
    feast(repository, "materialize-incremental", iso(AS_OF + 2 * DAY))
    stand_at(store, AS_OF + 2 * DAY)
    assert online(store, ["users:trips"], [{"user_id": "u2"}, {"user_id": "u3"}])["trips"] == [1, 1]
    feast(repository, "teardown")
    with closing(client_of(store, AS_OF)) as client:
        assert client.view_names() == []
        assert client.stored_clock() is None


def test_settings_that_are_wrong_name_the_key(tmp_path: Path) -> None:
    plug_in = "feature_repo.packed_online_store.feast.online_store.PackedOnlineStore"
    wrong = {"type": plug_in, "revison": "r1"}
    with pytest.raises(ValidationError, match="revison"):
        RepoConfig(project="p", provider="local", registry=str(tmp_path / "r.db"), online_store=wrong)
