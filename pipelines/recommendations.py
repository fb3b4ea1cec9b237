"""Batch recommendations from a home: a bundle by name, users as they stood at the last finished run."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from components.bundles.batch import recommend_users
from components.bundles.promotion import named_bundle
from components.contracts.errors import ConfigurationError
from components.features.snapshots.sets import FeatureSet, open_set
from components.home.homes import shop_of
from components.home.layout import Home
from components.home.runs.records import trained_features


def recommendations(home: Home, bundle: str, users: list[str] | None, k: int | None) -> pa.Table:
    """Recommend to users (None: all known ones): columns user_id, rank from 1, item_id, score.

    Raises:
        BundleError: there is no such bundle, or it was made with other feature definitions.
        ConfigurationError: no run has finished in the home.
    """
    return recommend_users(named_bundle(home, shop_of(home), bundle), last_features(home), users, k)


def last_features(home: Home) -> FeatureSet:
    """Return the feature set of the last training run that finished.

    Raises:
        ConfigurationError: there is none.
    """
    features = trained_features(home)
    if features is None:
        raise ConfigurationError(f"home {home.root}: no training run has finished in it; `rankloop run` makes one")
    return open_set(features)


def write_recommendations(rows: pa.Table, out: Path) -> None:
    """Write a Parquet file in one move.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    draft = out.with_name(f".{out.name}.draft")
    try:
        pq.write_table(rows, draft)
        draft.replace(out)
    except OSError as error:
        raise ConfigurationError(f"--out {out}: cannot be written ({error.strerror or error})") from error
