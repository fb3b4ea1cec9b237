"""Examine a machine: each finding says what was found and, if something is wrong, the fix."""

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from components.contracts.errors import RankloopError, StoreError
from components.home.disk.file_system import BETTER, hard_link_error
from components.home.layout import Home
from components.home.runs.lock import lock_holder
from components.home.runs.records import list_runs
from components.home.storage.cache import FOLDER_VARIABLE, object_cache
from components.home.storage.locations import BucketPath, Location
from components.home.storage.proof import prove_store
from components.shop.settings import load_shop
from pipelines.runs.source_fingerprint import sources_fingerprint

PACKAGES = ("bentoml", "deltalake", "duckdb", "evidently", "feast", "ibis-framework", "kfp", "lmdb", "xgboost-cpu")
PYTHONS = ((3, 11), (3, 13))
SPACE_GB = 2.0  # what a first run of the demo shop needs, with room to spare


@dataclass(frozen=True)
class Finding:
    """One thing examined; ``needed``: `rankloop run` cannot do without it."""

    subject: str
    well: bool
    found: str
    fix: str = ""
    needed: bool = True


def examine(shop_file: Path, home: Location) -> list[Finding]:
    """Examine Python, packages, the home and what it lies on, the shop file and its sources, and optional servers."""
    return [
        _python(),
        _bytecode(),
        _packages(),
        *(_folder(shop_file, Home(home)) if isinstance(home, Path) else _bucket(home)),
        *_shop(shop_file),
        _program("redis-server", "Redis"),
        _program("psql", "PostgreSQL"),
    ]


def _folder(shop_file: Path, home: Home) -> list[Finding]:
    return [_disk(home), _writable(home), _links(home), _lock(home), *_outputs(shop_file, home)]


def _bucket(home: BucketPath) -> list[Finding]:
    """Race for the store's promises, and look at the cache that its objects are read through."""
    try:
        promises = prove_store(home)
    except RankloopError as error:
        return [Finding("store", False, str(error))]
    store = [Finding("store", not one.broken, f"{one.name}: {one.seen}", one.broken or "") for one in promises]
    return [*store, _cache()]


def _cache() -> Finding:
    try:
        cache = object_cache()
    except RankloopError as error:
        return Finding("cache", False, str(error))
    folder = _existing(cache.folder)
    seen = f"{cache.folder}, at most {cache.max_bytes / 1e9:.1f} GB, {shutil.disk_usage(folder).free / 1e9:.1f} GB free"
    if not os.access(folder, os.W_OK):
        return Finding("cache", False, f"{folder} cannot be written", f"set {FOLDER_VARIABLE} to a folder that can")
    return Finding("cache", True, seen)


def _python() -> Finding:
    well = PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]
    fix = "" if well else "make the environment with Python 3.11, 3.12 or 3.13: `make setup`"
    return Finding("python", well, platform.python_version(), fix)


def _bytecode() -> Finding:
    well = not os.environ.get("PYTHONDONTWRITEBYTECODE")
    state = "bytecode is kept" if well else "PYTHONDONTWRITEBYTECODE is set: every start compiles its libraries again"
    return Finding("start-up", well, state, "" if well else "unset it in your shell", needed=False)


def _packages() -> Finding:
    missing = [name for name in PACKAGES if not _is_installed(name)]
    if missing:
        return Finding(
            "packages", False, f"missing: {', '.join(missing)}", "`make setup`, or pip install 'rankloop[all]'"
        )
    return Finding("packages", True, ", ".join(f"{name} {version(name)}" for name in ("kfp", "feast", "xgboost-cpu")))


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _disk(home: Home) -> Finding:
    free_gb = shutil.disk_usage(_existing(home.root)).free / 1e9  # type: ignore[arg-type]
    well = free_gb >= SPACE_GB
    fix = "" if well else f"free some: a first run needs about {SPACE_GB:.0f} GB"
    return Finding("disk", well, f"{free_gb:.1f} GB free at {home.root}", fix)


def _writable(home: Home) -> Finding:
    folder = _existing(home.root)  # type: ignore[arg-type]
    well = os.access(folder, os.W_OK)
    state = f"{home.root} " + ("exists" if home.root.exists() else "will be made by the first run")  # type: ignore[union-attr]
    return Finding(
        "home", well, state if well else f"{folder} cannot be written", "" if well else "name another --home"
    )


def _links(home: Home) -> Finding:
    try:
        reason = hard_link_error(_existing(home.root))  # type: ignore[arg-type]
    except OSError as error:
        return Finding("links", False, f"not tried: {error.strerror}", "name a --home that can be written")
    if reason:
        state = f"{home.root}: its file system has no hard links ({reason})"
        return Finding("links", False, state, f"name another --home {BETTER}")
    return Finding("links", True, "hard links can be made")


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _lock(home: Home) -> Finding:
    holder = lock_holder(home)
    if holder is None:
        return Finding("lock", True, "free")
    state = f"held by run {holder.run_id} (process {holder.pid})"
    return Finding("lock", False, state, "a run is at work; wait for it", needed=False)


def _shop(shop_file: Path) -> list[Finding]:
    try:
        shop = load_shop(shop_file)
    except RankloopError as error:
        return [Finding("shop file", False, str(error))]
    findings = [Finding("shop file", True, f"{shop.name}: {shop_file}")]
    try:
        sources_fingerprint(shop)
    except RankloopError as error:
        return [*findings, Finding("sources", False, str(error))]
    return [*findings, Finding("sources", True, "all can be reached")]


def _outputs(shop_file: Path, home: Home) -> list[Finding]:
    """Look at what the last training run left, unless there was none or its shop cannot be read."""
    from pipelines.runs.outputs import lost_outputs  # takes a second

    done = next((run for run in list_runs(home) if run.pipeline == "training" and run.state == "done"), None)
    if done is None:
        return []
    advice = f"`rankloop run --shop {shop_file} --home {home.root}` puts it back"
    try:
        shop = load_shop(shop_file)
    except RankloopError:
        return []  # the shop file has a finding of its own
    if shop.name != done.shop:
        other = f"not examined: the last run was of shop {done.shop}, {shop_file} is of {shop.name}"
        return [Finding("outputs", False, other, "name that shop's file with --shop", needed=False)]
    try:
        lost = [
            Finding(one.subject, False, one.found, advice if one.put_back or one.needs_run else "promote another")
            for one in lost_outputs(home, shop, done)
        ]
    except StoreError as error:
        return [Finding("online store", False, str(error))]
    except RankloopError as error:
        return [Finding("outputs", False, str(error))]
    return lost or [Finding("outputs", True, f"all that run {done.run_id} left is there, its online rows among it")]


def _program(name: str, what: str) -> Finding:
    well = shutil.which(name) is not None
    return Finding(
        what.lower(),
        well,
        "installed" if well else "not installed",
        "" if well else f"only the tests need it: apt-get install {what.lower()}",
        needed=False,
    )
