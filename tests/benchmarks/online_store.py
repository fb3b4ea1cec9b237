"""The packed online store against Feast's own Redis store, and against Redis and LMDB with nothing around them.

Run with ``python -m tests.benchmarks.online_store``. Every peer is measured in the same run, ours and theirs in turn;
the best of the repetitions counts. Feast's store writes a sample of 6,000 rows, and its time is scaled by the row.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pandas as pd
import pyarrow as pa
import redis
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.online_response import OnlineResponse
from feast.types import Float32, String

from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.keys import row_keys
from feature_repo.packed_online_store.layout import PackedSchema
from feature_repo.packed_online_store.views import PackedView
from feature_repo.packed_online_store.writing import write_view
from tests.servers import redis_server

AS_OF = datetime(2017, 8, 28, tzinfo=UTC)
FEATURES = [f"feature_{place:02d}" for place in range(15)]
ROWS, FEAST_ROWS, READ_ROWS = 120_000, 6_000, 300
CHUNK = 3_000
WRITES, READS = 7, 200

VIEW = PackedView("items", PackedSchema.of(dict.fromkeys(FEATURES, "float32")), ("item_id",), ttl=timedelta(days=90))


@dataclass(frozen=True)
class Ratio:
    """One line of the answer: seconds of ours and of the peer, and the bound on their ratio."""

    work: str
    ours: float
    peer: float
    bound: str

    def __str__(self) -> str:
        faster = self.peer / self.ours
        reached = {"faster": f"{faster:7.1f} x as fast", "share": f"{faster:7.0%} of its speed", "times": ""}
        kind, _, limit = self.bound.partition(" ")
        answer = reached[kind] or f"{1 / faster:7.2f} x its time"
        return f"{self.work:<66} {self.ours * 1e3:9.2f} ms {self.peer * 1e3:9.2f} ms {answer:<20} ({limit})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="rows written (120,000)")
    rows = parser.parse_args().rows
    table = item_table(rows)
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name)) as url:
        folder = Path(name)
        print(
            f"{rows:,} rows x {len(FEATURES)} float32 features; {READ_ROWS} rows read at once; best of {WRITES}/{READS}"
        )
        print(f"{'':<66} {'ours':>12} {'peer':>12}")
        with feast_store(folder, url) as feast:
            feast_write = best(1, lambda: feast.write_to_online_store("items", table.slice(0, FEAST_ROWS).to_pandas()))[
                0
            ]
            for ratio in [
                *redis_ratios(url, table, feast, feast_write * rows / FEAST_ROWS),
                *lmdb_ratios(folder, table, feast),
            ]:
                print(ratio)


def redis_ratios(url: str, table: pa.Table, feast: FeatureStore, feast_write: float) -> Iterator[Ratio]:
    """Compare writing to and reading from Redis."""
    with closing(open_client(url)) as client, redis.Redis.from_url(url) as server:
        write_view(client, VIEW, table)
        keys = row_keys(client.namespace("items").rows, VIEW.join_keys, item_ids(len(table)))
        values = client.backend.read(keys)
        raw_keys = [b"raw" + key for key in keys]

        def mset() -> None:
            for start in range(0, len(keys), CHUNK):
                pairs = zip(raw_keys[start : start + CHUNK], values[start : start + CHUNK], strict=True)
                server.execute_command("MSET", *chain.from_iterable(pairs))

        def mset_and_mget() -> None:
            mset()
            for start in range(0, len(keys), CHUNK):
                server.mget(raw_keys[start : start + CHUNK])

        ours, raw, checked, raw_checked = best(
            WRITES,
            lambda: write_view(client, VIEW, table, verify=False),
            mset,
            lambda: write_view(client, VIEW, table),
            mset_and_mget,
        )
        yield Ratio("write to Redis / Feast's Redis store (sample, scaled)", ours, feast_write, "faster at least 50 x")
        yield Ratio("write to Redis / MSET of the same bytes", ours, raw, "share at least 60 %")
        yield Ratio("write and read all back / Feast's store (no read)", checked, feast_write, "faster at least 50 x")
        yield Ratio("write and read all back / MSET and MGET", checked, raw_checked, "share for comparison")

        def mget(wanted: list[bytes]) -> Callable[[], object]:
            return partial(server.mget, [b"raw" + key for key in wanted])

        yield from read_ratios("Redis", client, feast, len(table), mget)


def lmdb_ratios(folder: Path, table: pa.Table, feast: FeatureStore) -> Iterator[Ratio]:
    """Compare reading from LMDB; the bare peer is a second folder with the same rows."""
    with closing(open_client(f"lmdb://{folder / 'online'}")) as client:
        write_view(client, VIEW, table)
        keys = row_keys(client.namespace("items").rows, VIEW.join_keys, item_ids(len(table)))
        rows = list(zip(keys, client.backend.read(keys), strict=True))
        with closing(lmdb.open(str(folder / "bare"), map_size=1 << 30)) as environment:

            def put() -> None:
                with environment.begin(write=True) as transaction:
                    transaction.cursor().putmulti(rows)

            def get(wanted: list[bytes]) -> Callable[[], object]:
                def read() -> list[bytes | None]:
                    with environment.begin() as transaction:
                        return [transaction.get(key) for key in wanted]

                return read

            ours, raw = best(WRITES, lambda: write_view(client, VIEW, table, verify=False), put)
            yield Ratio("write to LMDB / putmulti of the same bytes", ours, raw, "share for comparison")
            yield from read_ratios("LMDB", client, feast, len(table), get)


def read_ratios(
    store: str,
    client: PackedClient,
    feast: FeatureStore,
    rows: int,
    bare: Callable[[list[bytes]], Callable[[], object]],
) -> Iterator[Ratio]:
    """Compare reading into a matrix with Feast's answer (from its Redis store) and the bare values."""
    picked = np.random.default_rng(1).integers(0, min(rows, FEAST_ROWS), READ_ROWS)
    ids = [item_ids(rows)[place] for place in picked]
    keys = row_keys(client.namespace("items").rows, VIEW.join_keys, ids)
    references = [f"items:{name}" for name in FEATURES]
    entities = [{"item_id": item} for item in ids]
    answer = client.read_matrix("items", ids, FEATURES)
    assert answer.shape == (READ_ROWS, len(FEATURES))
    assert not np.isnan(answer).any()
    ours, raw = best(READS, lambda: client.read_matrix("items", ids, FEATURES), bare(keys))

    def answer_of_feast() -> OnlineResponse:
        return feast.get_online_features(features=references, entity_rows=entities)

    def matrix_of_feast() -> np.ndarray[Any, Any]:
        columns = answer_of_feast().to_dict()
        return np.array([columns[name] for name in FEATURES], np.float32).T

    np.testing.assert_array_equal(matrix_of_feast(), answer)
    in_full, response = best(20, matrix_of_feast, answer_of_feast)
    work = f"read {READ_ROWS} rows from {store} into a matrix"
    yield Ratio(f"{work} / Feast's, into a matrix too", ours, in_full, "faster at least 50 x")
    yield Ratio(f"{work} / Feast's response alone", ours, response, "faster for comparison")
    yield Ratio(f"{work} / the bare values", ours, raw, "times at most 2 x")


def best(repetitions: int, *works: Callable[[], object]) -> list[float]:
    """Run works in turn and return the shortest time of each, in seconds."""
    seconds = [float("inf")] * len(works)
    for _ in range(repetitions):
        for place, work in enumerate(works):
            start = time.perf_counter()
            work()
            seconds[place] = min(seconds[place], time.perf_counter() - start)
    return seconds


def open_client(url: str) -> PackedClient:
    return PackedClient.open(url, project="benchmark", revision="r1", clock=lambda: AS_OF)


def item_ids(rows: int) -> list[str]:
    return [f"item{place:07d}" for place in range(rows)]


def item_table(rows: int) -> pa.Table:
    """Rows of one day, as a snapshot has them."""
    random = np.random.default_rng(0)
    times = pa.array(np.full(rows, np.datetime64(AS_OF.replace(tzinfo=None), "us"))).cast(pa.timestamp("us", tz="UTC"))
    features = {name: random.random(rows, np.float32) for name in FEATURES}
    return pa.table({"item_id": item_ids(rows), "event_timestamp": times, **features})


@contextmanager
def feast_store(folder: Path, url: str) -> Iterator[FeatureStore]:
    """Apply the same view in Feast over its own Redis store, in another database of the same server."""
    address = url.removeprefix("redis://").partition("/")[0]
    source = folder / "items.parquet"
    pd.DataFrame({"item_id": ["a"], "event_timestamp": [AS_OF], **dict.fromkeys(FEATURES, 0.0)}).to_parquet(source)
    config = RepoConfig(
        project="benchmark",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store={"type": "redis", "connection_string": f"{address},db=1"},
        entity_key_serialization_version=3,
    )
    item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.STRING)
    schema = [Field(name="item_id", dtype=String), *(Field(name=name, dtype=Float32) for name in FEATURES)]
    view = FeatureView(
        name="items",
        entities=[item],
        schema=schema,
        source=FileSource(path=str(source), timestamp_field="event_timestamp"),
    )
    store = FeatureStore(config=config)
    store.apply([item, view])
    yield store


if __name__ == "__main__":
    main()
