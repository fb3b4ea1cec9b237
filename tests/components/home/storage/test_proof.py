import obstore

from components.home.storage.bucket import store_of
from components.home.storage.locations import BucketPath
from components.home.storage.proof import prove_store


def test_a_store_that_keeps_its_promises_is_proved_and_left_empty(bucket: BucketPath) -> None:
    promises = prove_store(bucket, rounds=3, writers=3)
    assert [promise.name for promise in promises] == ["write, read, delete", "conditional put", "compare-and-swap"]
    assert [promise.broken for promise in promises] == [None] * 3
    assert [each for batch in obstore.list(store_of(bucket), bucket.key) for each in batch] == []
