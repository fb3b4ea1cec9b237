"""Counting users without knowing them."""

import pyarrow as pa
import pytest

from components.drift.units import count_units, no_units


@pytest.mark.parametrize("users", [0, 1, 30, 1000, 20_000])
def test_the_estimate_is_close(users: int) -> None:
    counter = count_units(pa.array([f"user-{number}" for number in range(users)], pa.string()))
    assert counter.estimate() == pytest.approx(users, rel=0.06, abs=1)


def test_repeats_and_merges_count_once() -> None:
    first = count_units(pa.array(["a", "b", "a", None]))
    second = count_units(pa.array(["b", "c"]))
    merged = first.merge(second)
    assert merged.estimate() == 3
    assert (merged.registers == second.merge(first).registers).all()
    assert (no_units().merge(first).registers == first.registers).all()
    assert no_units().estimate() == 0


def test_integer_ids_count_like_their_text() -> None:
    assert (count_units(pa.array([1, 2])).registers == count_units(pa.array(["1", "2"])).registers).all()
