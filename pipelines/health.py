"""Examine a machine: each finding says what was found and, if something is wrong, the fix."""

import os
import platform
import shutil
import sys
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
from pipelines.finding import Finding
from pipelines.runs.fingerprints import sources_fingerprint

PACKAGES = ("bentoml", "deltalake", "duckdb", "evidently", "feast", "ibis-framework", "kfp", "lmdb", "xgboost-cpu")
PYTHONS = ((3, 11), (3, 13))
SPACE_GB = 2.0  # what a first run of the demo shop needs, with room to spare


def examine(shop_file: Path, home: Location) -> list[Finding]:
    """Examine Python, packages, the home and what it lies on, the shop file and its sources, and optional servers."""
    return [
        _python(),
        _bytecode(),
        _packages(),
        *_home(shop_file, Home(home)),
        *_shop(shop_file),
        _program("redis-server", "Redis"),
        _program("psql", "PostgreSQL"),
    ]


def _home(shop_file: Path, home: Home) -> list[Finding]:
    """Examine what a home lies on, then what is in it."""
    root = home.root
    try:
        ground = _folder(root) if isinstance(root, Path) else _bucket(root)
    except RankloopError as error:
        return [Finding("store", False, str(error))]
    return [*ground, _lock(home), *_outputs(shop_file, home)]


def _folder(home: Path) -> list[Finding]:
    return [_disk(home), _writable("home", home, "name another --home"), _links(home)]


def examine_bucket(home: BucketPath) -> list[Finding]:
    """Examine a home's store alone; where it cannot be used at all, that is the one finding."""
    try:
        return _bucket(home)
    except RankloopError as error:
        return [Finding("store", False, str(error))]


def _bucket(home: BucketPath) -> list[Finding]:
    """Race for the store's promises, and look at the cache that its objects are read through.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be used at all.
    """
    promises = prove_store(home)
    store = [Finding("store", not one.broken, f"{one.name}: {one.seen}", one.broken or "") for one in promises]
    return [*store, *_cache()]


def _cache() -> list[Finding]:
    try:
        folder = object_cache().folder
    except RankloopError as error:
        return [Finding("cache", False, str(error))]
    return [_disk(folder), _writable("cache", folder, f"set {FOLDER_VARIABLE} to another folder")]


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


def _disk(folder: Path) -> Finding:
    free_gb = shutil.disk_usage(_existing(folder)).free / 1e9
    well = free_gb >= SPACE_GB
    fix = "" if well else f"free some: a first run needs about {SPACE_GB:.0f} GB"
    return Finding("disk", well, f"{free_gb:.1f} GB free at {folder}", fix)


def _writable(subject: str, folder: Path, advice: str) -> Finding:
    above = _existing(folder)
    if not os.access(above, os.W_OK):
        return Finding(subject, False, f"{above} cannot be written", advice)
    return Finding(subject, True, f"{folder} " + ("exists" if folder.exists() else "will be made by the first run"))


def _links(home: Path) -> Finding:
    try:
        reason = hard_link_error(_existing(home))
    except OSError as error:
        return Finding("links", False, f"not tried: {error.strerror}", "name a --home that can be written")
    if reason:
        state = f"{home}: its file system has no hard links ({reason})"
        return Finding("links", False, state, f"name another --home {BETTER}")
    return Finding("links", True, "hard links can be made")


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _lock(home: Home) -> Finding:
    holder = lock_holder(home)
    if holder is None:
        return Finding("lock", True, "free")
    state = f"held by run {holder.run_id}" + (f" (process {holder.pid})" if holder.pid else "")
    return Finding("lock", False, state, "a run is at work; wait for it", needed=False)


def _online(home: Home) -> list[Finding]:
    """Say why no online store is known, if none is."""
    try:
        _ = home.online_url
    except RankloopError as error:
        return [Finding("online store", False, str(error))]
    return []


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
    """Look at what the last training run left, unless its shop cannot be read; without one, at what the first needs."""
    from pipelines.runs.outputs import lost_outputs  # takes a second

    done = next((run for run in list_runs(home) if run.pipeline == "training" and run.state == "done"), None)
    if done is None:
        return _online(home)
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
