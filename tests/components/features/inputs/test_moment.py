"""Moments as whole microseconds."""

from datetime import datetime

import pyarrow as pa
import pytest

from components.contracts.moments import microseconds
from components.contracts.tables import TIME
from components.features.inputs.moment import microseconds_of
from tests.components.features.frames import on, workspace


@pytest.mark.parametrize("moment", [on(0), on(-30_000), on(1.5).replace(microsecond=7)])
def test_the_engine_counts_microseconds_as_python_does(moment: datetime) -> None:
    with workspace({"times": pa.table({"at": pa.array([moment, None], TIME)})}) as space:
        times = space.store("kept", space.clean["times"])
        with space.at(on(0)) as here:
            found = [tables.fetch(times.select(at=microseconds_of(times["at"]))) for tables in (space, here)]
    assert [table["at"].to_pylist() for table in found] == [[microseconds(moment), None]] * 2
