import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.build_features.snapshots import build_features
from components.contracts.errors import FeatureError
from components.features.snapshots.sets import open_set
from feature_repo.point_in_time import point_in_time
from tests.components.build_features.homes import home_of, quiet, small_shop
from tests.components.features.frames import on

# Ibis 12 reads a DuckDB 2 table's schema through a method that DuckDB deprecates; goes with Ibis 13.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:feast"),
    pytest.mark.filterwarnings("ignore::UserWarning:feast"),
]


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    home, clean = home_of(tmp_path_factory.mktemp("home"))
    chosen = open_set(build_features(small_shop(), home, clean, quiet).handle)
    with point_in_time(chosen, home) as found:
        yield found


def test_rows_equal_those_of_feasts_own_wide_join(joined):
    requests = {on(56): pa.array(["u1", "u2"]), on(60.5): pa.array(["u2", "u3"])}
    located = joined.located("user_features", requests)
    ours = [joined.rows("user_features", time, located[time]).drop_columns(["event_timestamp"]) for time in requests]
    columns = [name for name in ours[0].column_names if name not in ("user_id", "created_timestamp")]
    asked = pd.DataFrame({"user_id": ["u1", "u2", "u2", "u3"], "event_timestamp": [on(56), on(56), on(60.5), on(60.5)]})
    theirs = joined.store.get_historical_features(
        entity_df=asked, features=[f"user_features:{name}" for name in columns], filter_by_created_timestamp=True
    ).to_arrow()
    theirs = theirs.sort_by([("event_timestamp", "ascending"), ("user_id", "ascending")])
    assert pa.concat_tables(ours).select(columns).to_pydict() == theirs.select(columns).to_pydict()


def test_a_request_between_snapshots_sees_the_one_before(joined):
    located = joined.located("user_features", {on(62.9): pa.array(["u1", "nobody"])})
    assert located == {on(62.9): {on(56): pa.array(["u1"])}}


def test_a_row_that_was_known_later_than_its_request_is_refused(joined):
    path = joined.feature_set.path("user_features", on(56))
    rows = pq.read_table(path)
    late = rows.set_column(
        rows.column_names.index("created_timestamp"),
        "created_timestamp",
        pa.array([on(58)] * len(rows), pa.timestamp("us", "UTC")),
    )
    path.unlink()
    pq.write_table(late, path)
    with pytest.raises(FeatureError, match="nothing newer than the request"):
        joined.rows("user_features", on(57), {on(56): rows["user_id"].combine_chunks()})
    assert on(56) not in joined.located("user_features", {on(57): pa.array(["u1"])})[on(57)]
