"""Small ranking examples with a known truth, as ``build_training_set`` would leave them."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.contracts.handles import Handle
from components.contracts.ranking_examples import ExamplesManifest, Split, SplitFiles, write_manifest
from components.shop.settings import EventColumns, EventSource, FileSource, Gate, Shop, Training

AS_OF = datetime(2024, 6, 3, tzinfo=UTC)
WEEK = timedelta(days=7)
FEATURES = ["taste", "frequency", "noise", "user_age"]
BASELINES = ["popularity", "no_op"]


@dataclass(frozen=True)
class World:
    """How the examples come about: ``taste`` decides what is bought, ``frequency`` half tells it, noise nothing."""

    users: int = 60
    candidates: int = 30
    train_weeks: int = 3
    heldout_weeks: int = 2
    taste: float = 2.0
    seed: int = 1
    slices: tuple[str, ...] = ("heavy", "cold_start")
    manifest: dict[str, Any] = field(default_factory=dict)


def small_shop(**changes: Any) -> Shop:
    """A shop whose training takes a moment."""
    source = EventSource(
        name="sales",
        source=FileSource(kind="parquet", path="sales.parquet"),
        columns=EventColumns(user="user", item="item", time="time"),
        event_type="purchase",
    )
    training = Training(
        rounds=30, stop_after=10, min_requests=20, threads=1, columns_per_tree=1.0, min_child_weight=1.0
    )
    gate = Gate(heldout_horizons=2, min_users=20, min_slice_users=10, resamples=300)
    return Shop(name="corner", events=(source,), training=training, gate=gate).model_copy(update=changes)


def write_examples(folder: Path, world: World | None = None) -> Handle:
    """Write examples of a world and return their handle."""
    world = world or World()
    random = np.random.default_rng(world.seed)
    heldout = [AS_OF - WEEK * (number + 1) for number in range(world.heldout_weeks)][::-1]
    validation = [heldout[0] - WEEK]
    train = [validation[0] - WEEK * (number + 1) for number in range(world.train_weeks)][::-1]
    for name, times in (("train", train), ("validation", validation), ("heldout", heldout)):
        write_split(folder, name, draw_split(world, times, random))
    manifest = ExamplesManifest(
        feature_names=FEATURES,
        feature_list="list-1",
        feature_revision="revision-1",
        baseline_names=BASELINES,
        as_of=AS_OF.isoformat(),
        train_end=heldout[0].isoformat(),
        heldout_start=heldout[0].isoformat(),
        horizon_days=7,
        request_constant=["user_age"],
        enough=True,
    )
    write_manifest(folder, replace(manifest, **world.manifest))
    return Handle("examples", str(folder), {"events": 3}, None, AS_OF.isoformat())


def write_split(folder: Path, name: str, split: Split) -> None:
    """Write one split's four files."""
    with SplitFiles(folder, name, split.features.shape[1], split.baselines.shape[1]) as files:
        files.append(split)


def draw_split(world: World, times: list[datetime], random: np.random.Generator) -> Split:
    """Draw requests of all users at some times: the likelier an item's taste, the likelier it is bought."""
    requests = world.users * len(times)
    rows = requests * world.candidates
    request = np.repeat(np.arange(requests, dtype=np.int32), world.candidates)
    taste, noise = random.normal(size=rows), random.normal(size=rows)
    bought = random.random(rows) < 1 / (1 + np.exp(3 - world.taste * taste))
    frequency = np.where(random.random(rows) < 0.1, np.nan, 0.5 * taste + random.normal(size=rows))
    age = np.repeat(random.normal(size=requests), world.candidates)
    item = np.tile(np.arange(world.candidates, dtype=np.int32), requests)
    popularity = 0.3 * taste + random.normal(size=rows)
    features = np.column_stack([taste, frequency, noise, age]).astype(np.float32)
    table = pa.table(
        {
            "request": request,
            "item_id": pa.array([f"item-{number:03}" for number in item]),
            "item_position": item,
            "label": bought.astype(np.float32),
            "weight": np.ones(rows, dtype=np.float32),
            "position": pa.nulls(rows, pa.int32()),
        }
    )
    baselines = np.column_stack([popularity, -item]).astype(np.float32)
    return Split(features, baselines, table, _requests(world, times, request, bought))


def _requests(world: World, times: list[datetime], request: np.ndarray, bought: np.ndarray) -> pa.Table:
    users = [f"user-{number:03}" for number in range(world.users)]
    outside = np.arange(world.users * len(times)) % 2  # half the requests also bought something that was no candidate
    return pa.table(
        {
            "request": pa.array(range(world.users * len(times)), pa.int32()),
            "user_id": users * len(times),
            "request_time": pa.array(
                np.repeat(np.array(times, dtype=object), world.users), pa.timestamp("us", tz="UTC")
            ),
            "relevant": pa.array(np.bincount(request, weights=bought).astype(np.int32) + outside, pa.int32()),
            "slices": [[world.slices[number % len(world.slices)]] for number in range(world.users * len(times))],
        }
    )
