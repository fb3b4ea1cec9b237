import obstore
import pytest

from components.contracts.errors import StorageError
from components.home.storage import proof
from components.home.storage.bucket import store_of
from components.home.storage.documents import names_below
from components.home.storage.locations import BucketPath
from components.home.storage.proof import prove_store


def test_a_store_that_keeps_its_promises_is_proved_and_left_empty(bucket: BucketPath) -> None:
    promises = prove_store(bucket, rounds=3, writers=3)
    assert [promise.name for promise in promises] == ["write, read, delete", "conditional put", "compare-and-swap"]
    assert [promise.broken for promise in promises] == [None] * 3
    assert [each for batch in obstore.list(store_of(bucket), bucket.key) for each in batch] == []


def test_a_proof_that_is_cut_off_leaves_nothing(bucket: BucketPath, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(*_: object) -> bool:
        raise StorageError("the server was throttling")

    monkeypatch.setattr(proof, "put_tagged", throttled)
    with pytest.raises(StorageError, match="throttling"):
        prove_store(bucket, rounds=2, writers=2)
    assert list(names_below(bucket)) == []
