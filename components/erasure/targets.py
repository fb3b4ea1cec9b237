"""Where a home keeps what it knows of a user, and how it is erased there; every place may be erased again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from components.erasure.copies import erase_copies
from components.erasure.kubeflow_logs import erase_logs
from components.erasure.online import erase_online
from components.erasure.runs import erase_runs
from components.features.snapshots.erasure import erase_examples, erase_snapshots
from components.feedback.erasure import erase_feedback
from components.home.data_subject import DataSubject, Erased
from components.home.layout import Home
from components.home.runs.records import list_runs
from components.home.storage.documents import names_below
from components.home.storage.locations import BucketPath, Location
from components.lake.erasure import erase_rows
from components.lake.tables import LOG, Notes, read_notes
from components.shop.settings import Shop

ON_KUBEFLOW = "logs on Kubeflow"


@dataclass(frozen=True)
class ErasureTarget:
    """One place of a home; ``erase`` is told whether an earlier erasure there was cut off."""

    name: str
    erase: Callable[[bool], Erased]


def erasure_targets(
    home: Home, shop: Shop, person: DataSubject, pipeline_root: BucketPath | None = None
) -> Iterator[ErasureTarget]:
    """Yield all places of a home, what is served from first; ``pipeline_root`` is where Kubeflow keeps logs."""
    yield ErasureTarget("online store", partial(erase_online, home, person))
    yield ErasureTarget("feedback log", lambda again: erase_feedback(home, person, again))
    for name in tables_below(home.root, "lake"):
        uri = home.root / name
        yield ErasureTarget(name, partial(erase_rows, uri, person, accepted=accepted_version(home, uri)))
    yield ErasureTarget("features", lambda _: erase_snapshots(home.features, person))
    yield ErasureTarget("examples", lambda _: erase_examples(home.root / "examples", person))
    yield ErasureTarget("runs", lambda _: erase_runs(home, shop, person))
    if pipeline_root is not None:
        logs = pipeline_root
        yield ErasureTarget(ON_KUBEFLOW, lambda _: erase_logs(list_runs(home), logs, person))
    if isinstance(home.root, BucketPath):
        root = home.root
        yield ErasureTarget("cache of this machine", lambda _: erase_copies(root, person))


def tables_below(home: Location, folder: str) -> list[str]:
    """Return the names of the Delta tables below a folder of a home."""
    names = (PurePosixPath(folder, name) for name in names_below(home / folder))
    return sorted({str(name.parent.parent) for name in names if name.parent.name == LOG})


def accepted_version(home: Home, uri: Location) -> Callable[[Notes], bool] | None:
    """What tells the version of a raw table that a later breach of the contract goes back to; None for other tables."""
    if uri.parent != home.raw:
        return None
    mark = read_notes(home.quarantine).get(uri.name, {}).get("mark")
    if mark is None:
        return None
    return lambda notes: (notes.get("batch"), notes.get("generation")) == (mark["batch"], mark["generation"])
