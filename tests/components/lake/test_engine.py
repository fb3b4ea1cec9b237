"""The engine seam: Ibis expressions over tables at a version."""

from pathlib import Path

import ibis
import pyarrow as pa

from components.contracts.tables import IMPRESSIONS
from components.lake.engine import EngineSettings, open_workspace
from components.lake.tables import append_rows

SCHEMA = pa.schema([("name", pa.string()), ("size", pa.int64())])


def test_an_expression_runs_over_a_table_at_its_version(tmp_path: Path) -> None:
    append_rows(tmp_path / "sizes", pa.table({"name": ["a", "b"], "size": [1, 2]}, SCHEMA), {})
    append_rows(tmp_path / "sizes", pa.table({"name": ["a"], "size": [5]}, SCHEMA), {})
    with open_workspace(EngineSettings("200MB", threads=1)) as space:
        found = []
        for version in (0, 1):
            sizes = space.delta_table(tmp_path / "sizes", SCHEMA, version)
            by_name = sizes.group_by("name").agg(total=sizes["size"].sum()).order_by("name")
            found.append(space.stream(by_name).read_all().to_pylist())

    assert found == [
        [{"name": "a", "total": 1}, {"name": "b", "total": 2}],
        [{"name": "a", "total": 6}, {"name": "b", "total": 2}],
    ]


def test_a_missing_table_has_its_columns_and_no_rows(tmp_path: Path) -> None:
    with open_workspace() as space:
        nothing = space.delta_table(tmp_path / "impressions", IMPRESSIONS)

        assert list(nothing.columns) == IMPRESSIONS.names
        assert space.stream(nothing).read_all().num_rows == 0


def test_rows_in_memory_join_rows_on_disk(tmp_path: Path) -> None:
    append_rows(tmp_path / "sizes", pa.table({"name": ["a", "b"], "size": [1, 2]}, SCHEMA), {})
    with open_workspace() as space:
        sizes = space.delta_table(tmp_path / "sizes", SCHEMA)
        wanted = space.memory_table(pa.table({"name": ["b"]}))
        joined = sizes.inner_join(wanted, "name").select("size", ibis.literal(1).name("one"))

        assert space.stream(joined).read_all().to_pylist() == [{"size": 2, "one": 1}]
