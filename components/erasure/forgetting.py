"""Forget a user: the tombstone first, then every place, then a look at every file; the receipt says what was done.

A kill at any moment leaves a receipt that says what was under way, and the same command finishes it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from components.contracts.errors import ConfigurationError, SourceError
from components.contracts.ids import id_text
from components.contracts.moments import now_text
from components.erasure.kubeflow_logs import folders_of
from components.erasure.remains import (
    ALWAYS,
    CACHES,
    ON_A_SERVER,
    UNREPEATABLE,
    WRITERS,
    old_versions,
    remains_on_kubeflow,
)
from components.erasure.sweep import is_item, sweep
from components.erasure.targets import ErasureTarget, erasure_targets
from components.feedback.acknowledgements import EXPIRY_SECONDS, await_acknowledgements
from components.home.data_subject import DataSubject, Erased, person_of
from components.home.homes import shop_file_of, shop_of
from components.home.layout import Home
from components.home.runs.lock import hold_lock
from components.home.runs.records import RunRecord, list_runs, read_json, write_json
from components.home.storage.documents import list_names, objects_below
from components.home.storage.locations import BucketPath, Location
from components.home.tombstones import add_tombstone
from components.lake.fencing import fence_after_takeover
from components.shop.settings import Shop, load_shop

LOCK_NAME = "forget"
FOLLOWING_SECONDS = 40.0
FOLLOWING_SECONDS_IN_A_BUCKET = EXPIRY_SECONDS + 10.0  # until then a process that was killed is known to be gone


@dataclass(frozen=True)
class Receipt:
    """What was done to forget one user, over all times that it was asked; it holds no id."""

    tombstone: str
    began: str
    state: str = "under way"  # then done, or incomplete
    ended: str | None = None
    at: str | None = None  # the place that is being erased
    rows: int = 0  # erased this time
    places: dict[str, dict[str, int]] = field(default_factory=dict)
    services: dict[str, int] = field(default_factory=dict)
    sweep: dict[str, Any] = field(default_factory=dict)
    kept: tuple[str, ...] = ()

    def with_place(self, name: str, erased: Erased) -> "Receipt":
        """Add what was erased in a place to what was erased there before."""
        before = Erased(**self.places.get(name, {}))
        total = replace(before + erased, searched=erased.searched)
        return replace(self, at=None, rows=self.rows + erased.rows, places=self.places | {name: asdict(total)})


def forget_user(
    home: Home,
    user_id: str,
    say: Callable[[str], None],
    shop_file: Path | None = None,
    pipeline_root: BucketPath | None = None,
) -> Receipt:
    """Erase a user from a home and keep them out of it; return the receipt, which lies in ``home.forgotten``.

    Without a shop file it is the one that the home's last run used. Without a pipeline root, what runs on Kubeflow have
    printed stays there.

    Raises:
        ConfigurationError: the id is none, the shop file cannot be read or is another shop's, or the pipeline root has
            no bucket.
        HomeBusyError: a run is at work in the home.
        SourceError, StoreError: a place cannot be written; what was done stays done, and the command finishes it later.
    """
    user_id = id_text(user_id)
    _check(user_id)
    shop = _shop_of(home, shop_file)
    if pipeline_root is not None:
        list_names(pipeline_root)  # fails before anything is done
    with hold_lock(home, LOCK_NAME):
        fence_after_takeover(home.root, home.tables())
        person = _exclude_user(home, shop, user_id)
        path = home.forgotten / f"{person.tombstone}.json"
        receipt, cut_off = _opened(path, person.tombstone)
        _save(path, receipt)
        receipt = replace(receipt, services=_await_services(home, say))
        with _readable("lake"):
            places = list(erasure_targets(home, shop, person, pipeline_root))
        for place in places:
            receipt = _erase(place, path, receipt, again=place.name == cut_off, say=say)
        say("searching every file")
        with _readable("every file"):
            swept = sweep(home, person)
        state = "incomplete" if swept.held_by or receipt.services["silent"] else "done"
        kept = tuple(_kept(home, receipt, path, pipeline_root))
        receipt = replace(receipt, state=state, ended=now_text(), sweep=asdict(swept), kept=kept)
        _save(path, receipt)
    return receipt


def _exclude_user(home: Home, shop: Shop, user_id: str) -> DataSubject:
    """Keep a user out of the home from now on, and return what they are looked for by."""
    person = person_of(shop, user_id, add_tombstone(home.tombstones, user_id))
    return replace(person, is_item=is_item(home, person))


def _await_services(home: Home, say: Callable[[str], None]) -> dict[str, int]:
    """Wait until the services know; return how many do, and how many did not say so."""
    seconds = FOLLOWING_SECONDS_IN_A_BUCKET if isinstance(home.root, BucketPath) else FOLLOWING_SECONDS
    say(f"waiting for services to know, for {seconds:.0f} s at most")
    with _readable("acknowledgements"):
        followed, silent = await_acknowledgements(home, seconds)
    return {"followed": followed, "silent": silent}


def _shop_of(home: Home, shop_file: Path | None) -> Shop:
    """Read the shop file, which names the columns that hold users' ids."""
    owner, shop = shop_of(home), load_shop(shop_file or shop_file_of(home))
    if shop.name != owner:
        raise ConfigurationError(
            f"home {home.root}: belongs to the shop {owner!r}, found {shop.name!r}; name its own file with --shop"
        )
    return shop


def _check(user_id: str) -> None:
    try:
        unfit = not user_id or "\0" in user_id or not user_id.encode()
    except UnicodeEncodeError:
        unfit = True
    if unfit:
        raise ConfigurationError(
            f"user {user_id!r}: found no id, expected the text by which the shop's sources name them"
        )


def _opened(path: Location, tombstone: str) -> tuple[Receipt, str | None]:
    """Return the receipt to go on with, and the place where an earlier erasure was cut off."""
    document = read_json(path)
    if document is None:
        return Receipt(tombstone, began=now_text()), None
    before = Receipt(**document)
    return replace(before, state="under way", ended=None, rows=0, sweep={}), before.at


def _erase(place: ErasureTarget, path: Location, receipt: Receipt, again: bool, say: Callable[[str], None]) -> Receipt:
    say(f"erasing from {place.name}")
    if not again:
        receipt = replace(receipt, at=place.name)
        _save(path, receipt)
    with _readable(place.name):
        receipt = receipt.with_place(place.name, place.erase(again))
    _save(path, receipt)
    return receipt


@contextmanager
def _readable(place: str) -> Iterator[None]:
    """Say what to do where a place cannot be searched: not to see the user there is not to have erased them.

    Raises:
        SourceError: it cannot.
    """
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"{place}: cannot be searched ({error}); make it readable, then forget the user again: the same command"
            " finishes what was begun"
        ) from error


def _kept(home: Home, receipt: Receipt, written: Location, pipeline_root: BucketPath | None) -> Iterator[str]:
    """Yield what stays; ``written`` is the receipt's place, just written."""
    yield from ALWAYS
    if any(erased["files"] for name, erased in receipt.places.items() if name.startswith("lake")):
        yield UNREPEATABLE
    if not home.online_url.startswith("lmdb://"):
        yield ON_A_SERVER
    if isinstance(home.root, BucketPath) and isinstance(written, BucketPath):
        yield from (CACHES, WRITERS)
        yield from old_versions([home.root], written)
    if runs := [run for run in list_runs(home) if run.kubeflow_run]:
        yield from _kept_on_kubeflow(runs, pipeline_root)


def _kept_on_kubeflow(runs: list[RunRecord], pipeline_root: BucketPath | None) -> Iterator[str]:
    folders = [] if pipeline_root is None else folders_of(runs, pipeline_root)
    newest = {folder: max(objects_below(folder), key=lambda each: each.modified, default=None) for folder in folders}
    yield from remains_on_kubeflow(len(runs), pipeline_root, sum(each is None for each in newest.values()))
    if samples := [each for each in newest.values() if each is not None]:
        yield from old_versions(folders, max(samples, key=lambda each: each.modified).location)


def _save(path: Location, receipt: Receipt) -> None:
    write_json(path, asdict(receipt))
