"""Build the feature snapshots that a run needs, computing only those that the pool lacks."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pyarrow.parquet as pq

from components.build_features.distributions import distributions
from components.contracts.errors import FeatureError
from components.contracts.handles import Handle
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import FeatureFacts, ViewFacts
from components.features.settings import FeatureSettings, feature_settings
from components.features.snapshots.calendar import calendar
from components.features.snapshots.earlier_layout import carry_over
from components.features.snapshots.plan import run_plan, snapshot_plan
from components.features.snapshots.pool import POOL, PoolFile, pool_name, prune_pool, write_snapshot
from components.features.snapshots.rows_digest import rows_digests
from components.features.snapshots.schemas import feature_revision
from components.features.snapshots.sets import (
    VIEWS,
    FeatureSet,
    SetDescription,
    point_current,
    pooled_files,
    prune_sets,
    write_set,
)
from components.features.snapshots.workspace import Workspace, clean_workspace
from components.home.layout import Home
from components.home.runs.records import trained_features
from components.home.storage.locations import Location, parse_location
from components.lake.resources import engine_threads
from components.shop.settings import Shop

DAYS_AT_ONCE = 2  # each packs and writes in one thread while the engine computes the other


def build_features(shop: Shop, home: Home, clean: Handle, say: Callable[[str], None]) -> StepResult[FeatureFacts]:
    """Build the snapshots of all request times and of the as-of from the clean tables.

    Raises:
        FeatureError: no event lies before the as-of, or a row would be newer than its snapshot.
    """
    carry_over(home.features)
    settings = feature_settings(shop)
    revision = feature_revision(settings)
    with clean_workspace(parse_location(clean.uri), clean.versions) as space:
        first, rows_in = _span(space, clean.moment)
        days = tuple(day for day in calendar(shop, clean.moment).snapshot_days if day > first)
        say("looking for what is new")
        digests = rows_digests(space, days, settings)
        names = {(view, day): pool_name(revision, view, day, digests[day]) for view in VIEWS for day in days}
        pooled = pooled_files(home.features, names.values())
        missing = sorted({day for (_, day), name in names.items() if name not in pooled})
        if missing:
            pooled |= _compute(space, missing, home.features / POOL, names, settings, say)
    described = SetDescription(
        project=shop.name,
        revision=revision,
        settings=settings,
        ttl_days=shop.features.ttl_days,
        snapshot_days=shop.features.snapshot_days,
        as_of=clean.moment,
        days=days,
        versions=clean.versions,
    )
    built = write_set(home.features, described, {snapshot: pooled[name] for snapshot, name in names.items()})
    point_current(built)
    trained = trained_features(home)
    used = prune_sets(home.features, keep=trained.digest if trained else None)
    prune_pool(home.features / POOL, keep=used | set(pooled))
    handle = Handle("features", str(built.manifest), clean.versions, built.digest, clean.as_of)
    facts = _facts(built, missing, first)
    return StepResult(handle, rows_in, sum(view.rows for view in facts.views.values()), facts)


def _span(space: Workspace, as_of: datetime) -> tuple[datetime, int]:
    """Return the first event's time, and how many events are known at the as-of."""
    events = space.clean["events"]
    known = events.filter(events.event_time < as_of, events.available_at <= as_of)
    span = space.fetch(known.agg(first=known.event_time.min(), rows=known.count())).to_pylist()[0]
    if not span["rows"]:
        raise FeatureError(
            f"features at {as_of.isoformat()}: found no event known before that moment, expected at least one; "
            "choose a later --as-of, or check the time column and time_zone in the shop file"
        )
    return span["first"], span["rows"]


def _compute(
    space: Workspace,
    days: list[datetime],
    pool: Location,
    names: Mapping[tuple[str, datetime], str],
    settings: FeatureSettings,
    say: Callable[[str], None],
) -> dict[str, PoolFile]:
    """Compute the snapshots of some days into the pool; return its new files by name."""
    say("preparing events")
    plan = snapshot_plan(space, settings, days)

    def compute(day: datetime) -> list[PoolFile]:
        return [write_snapshot(pool, names[view.name, day], rows) for view, rows in run_plan(plan, space, day)]

    written: list[PoolFile] = []
    with ThreadPoolExecutor(min(DAYS_AT_ONCE, engine_threads())) as threads:
        for number, (day, files) in enumerate(zip(days, threads.map(compute, days), strict=True), start=1):
            say(f"snapshot {number} of {len(days)}: {day:%Y-%m-%d}")
            written += files
    return {file.name: file for file in written}


def _facts(built: FeatureSet, computed: list[datetime], first: datetime) -> FeatureFacts:
    views = {}
    for view in VIEWS:
        newest = pq.read_table(built.newest(view))
        rows = sum(pq.read_metadata(built.path(view, day)).num_rows for day in built.days)
        views[view] = ViewFacts(rows, len(newest), len(newest.schema) - 3, distributions(newest))
    return FeatureFacts(
        revision=built.revision,
        first_event=first.isoformat(),
        days=[day.isoformat() for day in built.days],
        computed=[day.isoformat() for day in computed],
        views=views,
    )
