import obstore
import pytest

from components.home.storage import documents, proof
from components.home.storage.bucket import store_of
from components.home.storage.locations import BucketPath
from components.home.storage.proof import prove_store


def test_a_store_that_keeps_its_promises_is_proved_and_left_empty(bucket: BucketPath) -> None:
    promises = prove_store(bucket, rounds=3, writers=3)
    assert [promise.name for promise in promises] == ["write, read, delete", "conditional put", "compare-and-swap"]
    assert [promise.broken for promise in promises] == [None] * 3
    assert [each for batch in obstore.list(store_of(bucket), bucket.key) for each in batch] == []


def test_a_store_that_forgets_conditions_is_found(bucket: BucketPath, monkeypatch: pytest.MonkeyPatch) -> None:
    def put_anyway(location: BucketPath, content: bytes, tag: str | None) -> bool:
        documents.write_document(location, content)
        return True

    monkeypatch.setattr(documents, "put_tagged", put_anyway)
    monkeypatch.setattr(proof, "put_tagged", put_anyway)
    _, creation, _ = prove_store(bucket, rounds=2, writers=3)
    assert creation.seen == "2 of 2 rounds had more than one winner, or none"
    assert "use a server whose conditional puts are atomic" in (creation.broken or "")
