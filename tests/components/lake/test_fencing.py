"""A run that is stopped past the end of its lease, and then goes on, commits nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.contracts.errors import HomeBusyError, SourceError
from components.home.storage.lease import Lease, take_lease
from components.home.storage.locations import BucketPath
from components.lake.fencing import fence_tables
from components.lake.tables import append_rows, read_notes, table_files
from tests.components.lake.paused_writer import SCHEMA
from tests.waiting import until


def numbers(uri: BucketPath) -> list[int]:
    return sorted(number for file in table_files(uri) for number in pq.read_table(file)["number"].to_pylist())


def test_a_run_that_was_stopped_past_its_lease_commits_nothing_more(bucket: BucketPath) -> None:
    command = [sys.executable, "-m", "tests.components.lake.paused_writer", bucket.bucket, bucket.key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        assert [writer.stdout.readline().strip() for _ in range(3)] == ["0", "1", "2"]
        os.kill(writer.pid, signal.SIGSTOP)
        taken = taken_over(bucket)
        with taken.kept_alive():
            fence_tables([bucket / "table", bucket / "not there"])
            before = numbers(bucket / "table")
            os.kill(writer.pid, signal.SIGCONT)
            last = writer.stdout.read().splitlines()[-1]
    assert numbers(bucket / "table") == before
    assert any(words in last for words in ("has lost its lease, and run other has it now", "could not be written"))
    assert read_notes(bucket / "table") == {"number": before[-1]}


def taken_over(home: BucketPath) -> Lease:
    """Take the lease of a home as soon as the server says that it has expired."""
    leases: list[Lease] = []

    def is_taken() -> bool:
        try:
            leases.append(take_lease(home / "lock", "other"))
        except HomeBusyError:
            return False
        return True

    until(is_taken)
    return leases[0]


def test_a_commit_that_was_begun_before_the_fence_is_refused(bucket: BucketPath) -> None:
    uri = bucket / "table"
    append_rows(uri, pa.table({"number": [0]}, SCHEMA), {"number": 0})

    def fenced_meanwhile() -> Iterator[pa.RecordBatch]:
        with ThreadPoolExecutor(1) as other:
            other.submit(fence_tables, [uri]).result()
        yield from pa.table({"number": [1]}, SCHEMA).to_batches()

    with pytest.raises(SourceError, match="rows could not be written"):
        append_rows(uri, pa.RecordBatchReader.from_batches(SCHEMA, fenced_meanwhile()), {"number": 1})
    assert (numbers(uri), read_notes(uri)) == ([0], {"number": 0})
