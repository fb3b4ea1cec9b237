"""Build ranking examples: requests of past weeks, their candidates, point-in-time features, and outcomes."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter

from components.build_training_set.impressions import ImpressionLog, Window, impression_log
from components.build_training_set.shown import ShownBlocks, shown_requests
from components.build_training_set.splits import SplitBuilder, built_in_order
from components.contracts.errors import DamagedObjectError
from components.contracts.handles import Handle
from components.contracts.json_documents import parse_json
from components.contracts.ranking_examples import REQUESTS, ROWS, SPLITS, ExamplesManifest, write_manifest
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import ExamplesFacts, ImpressionFacts, SplitFacts
from components.features.inputs.positive_events import merchandise_only, positive_events
from components.features.settings import FeatureSettings
from components.features.snapshots.calendar import Calendar, calendar
from components.features.snapshots.sets import FeatureSet, open_set
from components.features.snapshots.workspace import Workspace, clean_workspace
from components.home.layout import Home
from components.home.storage.documents import list_names, read_document, write_document
from components.home.storage.locations import Location, parse_location
from components.home.storage.objects import has_folder, local_folder, publish_folder, remove_folder
from components.lake.engine import default_engine
from components.lake.tables import table_files
from components.ranking.baselines import BASELINE_NAMES
from components.ranking.features import FEATURE_NAMES, REQUEST_CONSTANT, feature_list
from components.shop.settings import Shop, Training
from feature_repo.point_in_time import point_in_time

EXAMPLES_VERSION = 1  # raise it when the same snapshots, rows and settings give other examples
KEPT_SETS = 2
FACTS, RECENT = "facts.json", "recent.json"
IMPRESSIONS = "impressions"


def build_training_set(
    shop: Shop, home: Home, clean: Handle, features: Handle, say: Callable[[str], None]
) -> StepResult[ExamplesFacts]:
    """Build the examples of a feature set into ``examples/<digest>``; equal ones that exist are kept.

    Raises:
        FeatureError: a feature value is newer than its request.
    """
    feature_set = open_set(features)
    digest = _digest(shop, feature_set, clean)
    place = home.root / "examples" / digest
    if not _is_whole(place):
        _build(place, shop, home, feature_set, clean, say)
    _keep_recent(place.parent, digest)
    facts = TypeAdapter(ExamplesFacts).validate_json((local_folder(place) / FACTS).read_bytes())
    handle = Handle("examples", str(place), clean.versions, digest, clean.as_of)
    return StepResult(handle, facts.outcomes, sum(split.rows for split in facts.splits.values()), facts)


def _is_whole(place: Location) -> bool:
    """Say whether examples are there; objects that were lost, or damaged, are made again."""
    try:
        return has_folder(place) and local_folder(place).is_dir()
    except DamagedObjectError:
        return False


def _build(
    place: Location, shop: Shop, home: Home, feature_set: FeatureSet, clean: Handle, say: Callable[[str], None]
) -> None:
    """Write the examples where they are not read yet, then give them their place."""
    with _draft(place) as draft:
        facts = _write_examples(draft, shop, home, feature_set, clean, say)
        (draft / FACTS).write_text(json.dumps(asdict(facts), indent=1))
        if isinstance(place, Path):
            draft.rename(place)
        else:
            remove_folder(place)  # what was cut off
            publish_folder(draft, place)


@contextmanager
def _draft(place: Location) -> Iterator[Path]:
    if isinstance(place, Path):
        draft = place.with_name(f".{place.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        yield draft
        return
    with TemporaryDirectory(prefix="rankloop-examples-") as scratch:
        draft = Path(scratch) / place.name
        draft.mkdir()
        yield draft


def _digest(shop: Shop, feature_set: FeatureSet, clean: Handle) -> str:
    """Digest what decides the examples: their version, schema, snapshots, clean rows, settings."""
    settings = shop.model_dump_json(include={"success", "horizon_days", "candidates", "training", "gate", "rules"})
    schema = [str(REQUESTS), str(ROWS), BASELINE_NAMES]
    content = [EXAMPLES_VERSION, schema, feature_set.digest, clean.versions, clean.as_of, feature_list(), settings]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _write_examples(
    draft: Path, shop: Shop, home: Home, feature_set: FeatureSet, clean: Handle, say: Callable[[str], None]
) -> ExamplesFacts:
    when = calendar(shop, clean.moment)
    times = {
        split: [time for time in requests if when.snapshot_day(time) in feature_set.days]
        for split, requests in when.requests.items()
    }
    say("collecting outcomes")
    with clean_workspace(parse_location(clean.uri), clean.versions) as space:
        every = [time for split in SPLITS for time in times[split]]
        known = outcomes(space, every, when.horizon, clean.moment, feature_set.settings)
    known = {time: _of_known_users(table, feature_set, when, time) for time, table in known.items()}
    splits: dict[str, SplitFacts] = {}
    impressions: ImpressionFacts | None = None
    with (
        _logged(shop, when, clean, feature_set, times["train"]) as log,
        default_engine(),
        point_in_time(feature_set, home) as joined,
    ):
        weekly = sum(_requests_of(known[time]) for time in times["train"])
        weekly_most, logged_most = _limits(weekly, len(log.requests) if log else 0, shop.training)
        say("joining features point in time")
        builders = {
            split: SplitBuilder(
                split,
                shop,
                joined,
                {time: known[time] for time in times[split]},
                weekly_most / weekly if split == "train" and weekly else 1.0,
            )
            for split in SPLITS
        }
        with built_in_order([task for builder in builders.values() for task in builder.tasks]) as blocks:
            for split, builder in builders.items():
                more = None
                if log and split == "train":
                    more = ShownBlocks(shown_requests(log, logged_most, shop.training), joined, when, shop.candidates)
                splits[split] = builder.write(draft, blocks, say, more or ())
                impressions = more.facts if more else impressions
    shortfall = _shortfall(shop, splits)
    write_manifest(draft, _manifest(feature_set, when, shortfall))
    return ExamplesFacts(sum(len(table) for table in known.values()), splits, impressions, shortfall)


@contextmanager
def _logged(
    shop: Shop, when: Calendar, clean: Handle, feature_set: FeatureSet, train: Sequence[datetime]
) -> Iterator[ImpressionLog | None]:
    """The impressions of the training weeks; None when there are none or the shop does not train on them."""
    logged = table_files(parse_location(clean.uri) / IMPRESSIONS, clean.versions.get(IMPRESSIONS))
    if not logged or not shop.training.impressions or not train:
        yield None
        return
    window = Window(train[0], when.validation[0], when.horizon, when.as_of)
    with impression_log(clean, window, feature_set.settings) as log:
        yield log


def _limits(weekly: int, logged: int, training: Training) -> tuple[int, int]:
    """Return how many weekly and logged requests to train on, together at most ``max_requests``."""
    share = training.impressions / (1 + training.impressions)
    impressions = min(logged, int(training.impressions * weekly), int(share * training.max_requests))
    return training.max_requests - impressions, impressions


def _of_known_users(table: pa.Table, feature_set: FeatureSet, when: Calendar, time: datetime) -> pa.Table:
    """Outcomes of users who had a history before the request."""
    ids = feature_set.ids("user_features", when.snapshot_day(time))
    return table.filter(pc.is_in(table["user_id"], value_set=ids))


def _requests_of(outcome: pa.Table) -> int:
    return int(pc.count_distinct(outcome["user_id"]).as_py())


def _shortfall(shop: Shop, splits: Mapping[str, SplitFacts]) -> str | None:
    """Why there is too little to train or judge on; None if there is enough."""
    train, heldout = splits["train"].requests, splits["heldout"].requests
    if train < shop.training.min_requests:
        return (
            f"found {train:,} training requests, expected at least {shop.training.min_requests:,} "
            "(training.min_requests): the history is too short or has too few returning users"
        )
    if heldout < shop.gate.min_users:
        return (
            f"found {heldout:,} held-out requests, expected those of at least {shop.gate.min_users:,} users "
            "(gate.min_users): too few users came back in the held-out weeks"
        )
    return None


def _manifest(feature_set: FeatureSet, when: Calendar, shortfall: str | None) -> ExamplesManifest:
    return ExamplesManifest(
        feature_names=list(FEATURE_NAMES),
        feature_list=feature_list(),
        feature_revision=feature_set.revision,
        baseline_names=list(BASELINE_NAMES),
        as_of=when.as_of.isoformat(),
        train_end=when.train_end.isoformat(),
        heldout_start=when.heldout[0].isoformat(),
        horizon_days=when.horizon // timedelta(days=1),
        request_constant=list(REQUEST_CONSTANT),
        enough=shortfall is None,
        shortfall=shortfall,
    )


def _keep_recent(examples: Location, digest: str) -> None:
    """Note which examples were used last, and remove those used longer ago and drafts of killed runs."""
    try:
        before = parse_json(list[str], read_document(examples / RECENT) or b"[]")
    except ValueError:
        before = []
    recent = [digest, *(each for each in before if each != digest)][:KEPT_SETS]
    write_document(examples / RECENT, json.dumps(recent).encode())
    for name in list_names(examples):
        if name not in (*recent, RECENT):
            remove_folder(examples / name)


def outcomes(
    space: Workspace, times: Sequence[datetime], horizon: timedelta, as_of: datetime, settings: FeatureSettings
) -> dict[datetime, pa.Table]:
    """Distinct (user_id, item_id) of merchandise with a success in [time, time + horizon), known at the as-of."""
    return {time: _in_window(space, time, time + horizon, as_of, settings) for time in times}


def _in_window(
    space: Workspace, start: datetime, end: datetime, as_of: datetime, settings: FeatureSettings
) -> pa.Table:
    successes = positive_events(space.clean["events"], start, end, as_of, settings)
    pairs = successes.filter(successes.user_id.notnull()).select("user_id", "item_id").distinct()
    return space.fetch(merchandise_only(pairs, space.clean["items"], as_of, settings).order_by("user_id", "item_id"))
