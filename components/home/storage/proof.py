"""Whether a store keeps its promises: conditional puts with one winner, compare-and-swap without a loss, deletion.

Some S3 servers let two writers win the same race without a word; a home there would lose commits.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Barrier
from uuid import uuid4

from components.contracts.errors import RankloopError
from components.home.storage.documents import (
    create_document,
    has_document,
    list_names,
    put_tagged,
    read_document,
    read_tagged,
    remove_document,
    remove_documents,
    write_document,
)
from components.home.storage.locations import BucketPath

ROUNDS = 12
WRITERS = 6
ADVICE = "use a server whose conditional puts are atomic, such as AWS S3, MinIO, or SeaweedFS from 4.17 on"


@dataclass(frozen=True)
class Promise:
    """One thing that a home asks of its store, and what was seen; ``broken`` says what to do, None where it is kept."""

    name: str
    seen: str
    broken: str | None = None


def prove_store(home: BucketPath, rounds: int = ROUNDS, writers: int = WRITERS) -> list[Promise]:
    """Try each promise with objects of a folder of its own, which is empty again at the end, also after a failure.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be used at all.
    """
    folder = home / f".proof-{uuid4().hex[:8]}"
    try:
        return list(_promises(folder, rounds, writers))
    finally:
        with suppress(RankloopError):  # what was refused before is what counts
            remove_documents(folder / name for name in list_names(folder))


def _promises(folder: BucketPath, rounds: int, writers: int) -> Iterator[Promise]:
    yield _round_trip(folder / "object")
    with ThreadPoolExecutor(writers) as pool:
        yield _creation(folder, pool, rounds, writers)
        yield _swaps(folder / "counter", pool, rounds, writers)


def _round_trip(document: BucketPath) -> Promise:
    write_document(document, b"written")
    written = read_document(document) == b"written"
    remove_document(document)
    removed = not has_document(document)
    if written and removed:
        return Promise("write, read, delete", "an object was written, read and deleted")
    what = "deleted is still there" if written else "written cannot be read back"
    return Promise("write, read, delete", f"what was {what}", "give this key the rights to read, write and delete")


def _creation(folder: BucketPath, pool: ThreadPoolExecutor, rounds: int, writers: int) -> Promise:
    """Race to create the same object: one writer wins each round."""
    wrong = 0
    for number in range(rounds):
        document, start = folder / f"race-{number}", Barrier(writers)

        def race(writer: int, document: BucketPath = document, start: Barrier = start) -> bool:
            start.wait()
            return create_document(document, str(writer).encode())

        winners = [writer for writer, won in enumerate(pool.map(race, range(writers))) if won]
        content = read_document(document)
        wrong += len(winners) != 1 or content != str(winners[0]).encode()
        remove_document(document)
    seen = f"{rounds} rounds of {writers} writers each had one winner"
    if wrong:
        return Promise("conditional put", f"{wrong} of {rounds} rounds had more than one winner, or none", ADVICE)
    return Promise("conditional put", seen)


def _swaps(counter: BucketPath, pool: ThreadPoolExecutor, rounds: int, writers: int) -> Promise:
    """Count to a number by compare-and-swap from several writers: no step is lost."""
    write_document(counter, b"0")

    def count(_: int) -> int:
        return sum(_swap(counter) for _ in range(rounds))

    steps = sum(pool.map(count, range(writers)))
    value = int(read_document(counter) or b"-1")
    remove_document(counter)
    if value != steps:
        return Promise("compare-and-swap", f"{steps} steps were taken, the counter stands at {value}", ADVICE)
    return Promise("compare-and-swap", f"{steps} steps of {writers} writers, none lost")


def _swap(counter: BucketPath) -> bool:
    """Take one step, unless another writer was faster."""
    current = read_tagged(counter)
    if current is None:
        return False
    return put_tagged(counter, str(int(current.content) + 1).encode(), current.tag) is not None
