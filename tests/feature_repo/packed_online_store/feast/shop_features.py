"""A Feast repository of the tests: copied beside a ``feature_store.yaml`` as ``features.py``."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Float32, Int64, Json, String

FOLDER = Path(__file__).parent

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.INT64)


def file_source(name: str) -> FileSource:
    return FileSource(name=f"{name}_file", path=str(FOLDER / f"{name}.parquet"), timestamp_field="seen_at")


pushed_users = PushSource(name="pushed_users", batch_source=file_source("users"))
users = FeatureView(
    name="users",
    entities=[user],
    ttl=timedelta(days=30),
    schema=[
        Field(name="user_id", dtype=String),
        Field(name="trips", dtype=Int64),
        Field(name="spend", dtype=Float32),
        Field(name="history", dtype=Array(Int64)),
        Field(name="city", dtype=String),
        Field(name="extra", dtype=Json),
    ],
    source=pushed_users,
)
pairs = FeatureView(
    name="pairs",
    entities=[user, item],
    schema=[
        Field(name="user_id", dtype=String),
        Field(name="item_id", dtype=Int64),
        Field(name="bought", dtype=Int64),
    ],
    source=file_source("pairs"),
)
season = FeatureView(name="season", entities=[], schema=[Field(name="week", dtype=Int64)], source=file_source("season"))


@on_demand_feature_view(sources=[users], schema=[Field(name="spend_per_trip", dtype=Float32)])
def ratios(inputs: pd.DataFrame) -> pd.DataFrame:
    ratio: Any = inputs["spend"] / inputs["trips"]
    return pd.DataFrame({"spend_per_trip": ratio.astype("float32")})


@on_demand_feature_view(
    entities=[user],
    sources=[users],
    schema=[Field(name="user_id", dtype=String), Field(name="double_trips", dtype=Int64)],
    write_to_online_store=True,
    mode="pandas",
)
def written_ratios(inputs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"double_trips": inputs["trips"] * 2})


ranking = FeatureService(name="ranking", features=[users, pairs, season, ratios])
