"""Several processes on one store: writers that race, readers that do not wait, writers that are killed."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.process import BaseProcess

import numpy as np
import pyarrow as pa
import pytest

from feature_repo.packed_online_store.client import PackedClient
from feature_repo.packed_online_store.layout import PackedSchema
from feature_repo.packed_online_store.views import PackedView
from feature_repo.packed_online_store.writing import write_view
from tests.feature_repo.packed_online_store.conftest import AS_OF, OpenClient
from tests.waiting import PATIENCE_SECONDS, until

VIEW = PackedView("items", PackedSchema.of({"a": "float64", "b": "float64", "h": "list<int64>"}), ("item_id",))
KEYS = [f"item{place}" for place in range(1_500)]
WRITERS, ROUNDS = 3, 6

spawning = multiprocessing.get_context("spawn")


def version_table(seconds: np.ndarray) -> pa.Table:
    """Rows whose every feature says the second at which they were seen."""
    times = pa.array((np.int64(AS_OF.timestamp()) + seconds) * 1_000_000).cast(pa.timestamp("us", tz="UTC"))
    history = pa.array([[second] * 3 for second in seconds.tolist()], pa.list_(pa.int64()))
    plain = pa.array(seconds.astype(np.float64))
    return pa.table({"item_id": KEYS, "event_timestamp": times, "a": plain, "b": plain, "h": history})


def open_store(url: str, project: str) -> PackedClient:
    return PackedClient.open(url, project=project, revision="r1", clock=lambda: AS_OF + timedelta(days=1))


def racing_seconds(writer: int, turn: int) -> np.ndarray:
    return np.random.default_rng([writer, turn]).integers(0, 10_000, len(KEYS))


def write_racing(url: str, project: str, writer: int) -> None:
    client = open_store(url, project)
    for turn in range(ROUNDS):
        write_view(client, VIEW, version_table(racing_seconds(writer, turn)), verify=False)


def write_versions(url: str, project: str) -> None:
    client = open_store(url, project)
    for version in range(1, 100_000):
        write_view(client, VIEW, version_table(np.full(len(KEYS), version)), verify=False)


def whole_versions(client: PackedClient) -> np.ndarray:
    """Read all rows and return their versions, (n,); every row has to be of one version through and through."""
    rows = client.read(VIEW, KEYS)
    matrix = rows.matrix(["a", "b"], np.float64)
    seconds = rows.event_time // 1_000_000 - int(AS_OF.timestamp())
    assert rows.found.all()
    np.testing.assert_array_equal(matrix[:, 0], seconds)
    np.testing.assert_array_equal(matrix[:, 1], seconds)
    np.testing.assert_array_equal(rows.arrays("h").values.reshape(-1, 3), np.repeat(seconds, 3).reshape(-1, 3))
    return seconds


@contextmanager
def writing_process(url: str, client: PackedClient) -> Iterator[BaseProcess]:
    """Have another process write version after version, and wait until it has begun."""
    write_view(client, VIEW, version_table(np.zeros(len(KEYS), np.int64)))
    process = spawning.Process(target=write_versions, args=(url, client.project))
    process.start()
    try:
        until(lambda: bool(whole_versions(client).min() >= 2))
        yield process
    finally:
        process.kill()
        process.join()


def test_the_newest_row_stands_after_a_race(store_url: str, open_client: OpenClient) -> None:
    client = open_client()
    arguments = [(store_url, client.project, writer) for writer in range(WRITERS)]
    writers = [spawning.Process(target=write_racing, args=some) for some in arguments]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    everything = [racing_seconds(writer, turn) for writer in range(WRITERS) for turn in range(ROUNDS)]
    np.testing.assert_array_equal(whole_versions(client), np.max(everything, axis=0))


def test_readers_see_whole_rows_that_only_get_newer(store_url: str, open_client: OpenClient) -> None:
    client = open_client()
    with writing_process(store_url, client):
        seen = whole_versions(client)
        first, deadline = seen.min(), time.monotonic() + PATIENCE_SECONDS
        while seen.min() < first + 5:
            assert time.monotonic() < deadline, "the rows do not change"
            later = whole_versions(client)
            assert (later >= seen).all()
            seen = later


@pytest.mark.parametrize("attempt", range(3))
def test_a_killed_writer_leaves_whole_rows_and_no_lock(store_url: str, open_client: OpenClient, attempt: int) -> None:
    client = open_client()
    with writing_process(store_url, client) as process:
        until(lambda: bool(whole_versions(client).min() >= 2 + attempt))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        before = whole_versions(client)
        assert write_view(client, VIEW, version_table(before + 1)).written == len(KEYS)
        np.testing.assert_array_equal(whole_versions(client), before + 1)
