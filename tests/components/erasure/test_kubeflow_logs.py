"""What Kubeflow keeps of a home's runs holds nothing of a forgotten user; the receipt names what only others delete."""

from pathlib import Path

import httpx
import pytest

from components.contracts.errors import ConfigurationError
from components.erasure.forgetting import Receipt, forget_user
from components.erasure.kubeflow_logs import erase_logs
from components.erasure.remains import old_versions
from components.home.data_subject import DataSubject, Erased
from components.home.layout import Home
from components.home.runs.records import RunRecord, save_run
from components.home.shop_note import ShopNote, write_shop_note
from components.home.storage.documents import names_below, write_document
from components.home.storage.locations import BucketPath
from components.home.tombstones import Tombstones
from tests.servers import S3Server
from tests.shop_files import PURCHASES

LOG = "build-features/5f/executor-logs-0"
HANDLE = "build-features/5f/features"
VERSIONED = '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>{}</Status></VersioningConfiguration>'


def on_kubeflow(run: str | None) -> RunRecord:
    return RunRecord(
        run_id=f"r-{run}", pipeline="training", shop="corner_shop", shop_file="", as_of=None, kubeflow_run=run
    )


@pytest.mark.parametrize(
    ("user", "named", "unnamed"),
    [
        ("user-12", "ValueError: user-12 has no zone\n", "user-128 and another-user-12x\n"),
        ("12", 'found the user \'12\'\nrow {"user": "12"}\n', "12 rows at 12:12\n'128'\n"),
    ],
    ids=["telling", "short"],
)
def test_logs_that_name_the_user_go_and_everything_else_stays(
    user: str, named: str, unnamed: str, bucket: BucketPath
) -> None:
    logs = {"ours": named, "unnamed": unnamed, "of-another-home": named}
    for run, log in logs.items():
        write_document(bucket / f"training/{run}/{LOG}", f"begun\n{log}".encode())
        write_document(bucket / f"training/{run}/{HANDLE}", b'{"kind": "features"}')
    runs = [on_kubeflow("ours"), on_kubeflow("unnamed"), on_kubeflow("without-artifacts"), on_kubeflow(None)]

    assert erase_logs(runs, bucket, DataSubject(user)) == Erased(rows=named.count("\n"), files=1, searched=4)

    remaining = {f"training/{run}/{name}" for run in logs for name in (LOG, HANDLE)}
    assert set(names_below(bucket)) == remaining - {f"training/ours/{LOG}"}
    assert erase_logs(runs, bucket, DataSubject(user)).files == 0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a run on Kubeflow."""
    home = Home(tmp_path / "home")
    (tmp_path / "shop.toml").write_text(PURCHASES)
    write_shop_note(home, ShopNote("corner_shop", str(tmp_path / "shop.toml")))
    save_run(home, on_kubeflow("k1"))
    return home


def forget(home: Home, root: BucketPath | None) -> Receipt:
    return forget_user(home, "user-12", lambda _: None, pipeline_root=root)


def test_the_receipt_counts_the_logs_or_says_how_to_reach_them(home: Home, bucket: BucketPath) -> None:
    write_document(bucket / f"training/k1/{LOG}", b"user-12\n")
    assert any("logs of 1 runs" in words and "--pipeline-root" in words for words in forget(home, None).kept)
    wrong = bucket / "elsewhere"
    assert any(f"nothing of these runs lies below {wrong}" in words for words in forget(home, wrong).kept)

    save_run(home, on_kubeflow("k2"))
    write_document(bucket / f"training/k1/{HANDLE}", b"{}")
    receipt = forget(home, bucket)
    assert (receipt.state, receipt.rows) == ("done", 1)
    assert receipt.places["logs on Kubeflow"] == {"rows": 1, "files": 1, "searched": 2, "parts": 0}
    assert any("logs of 1 runs on Kubeflow" in words for words in receipt.kept)

    write_document(bucket / f"training/k2/{HANDLE}", b"{}")
    receipt = forget(home, bucket)
    assert [words for words in receipt.kept if "pods" in words]
    assert not [words for words in receipt.kept if "--pipeline-root" in words or "old versions" in words]


def test_a_pipeline_root_without_a_bucket_is_refused_before_anything_is_done(home: Home, bucket: BucketPath) -> None:
    with pytest.raises(ConfigurationError, match="has no bucket nowhere"):
        forget(home, BucketPath("nowhere", bucket.key))
    assert not Tombstones(home.tombstones)


def test_a_bucket_that_keeps_versions_comes_with_the_command_that_deletes_them(
    s3: S3Server, bucket: BucketPath
) -> None:
    place = BucketPath("versioned", "it's a home")
    write_document(place / "note", b"user-12")
    assert not list(old_versions([place], place / "note"))
    httpx.put(f"{s3.endpoint}/versioned?versioning", content=VERSIONED.format("Enabled")).raise_for_status()
    write_document(place / "note", b"nobody")
    assert not list(old_versions([], place / "note"))
    [words] = old_versions([place, place / "training/k1"], place / "note")
    assert "for prefix in 'it'\"'\"'s a home/' 'it'\"'\"'s a home/training/k1/'; do aws s3api" in words
    kept = httpx.get(f"{s3.endpoint}/versioned?versions&prefix=it's a home/").text
    assert kept.count("<Version>") == 2
