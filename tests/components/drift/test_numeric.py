"""The numeric sketch: exact where it can be, the same for any order, with a known width."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.drift.numeric import BUCKET_LIMIT, NumericSketch, coarsen, sketch_numbers

numbers = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60).map(lambda xs: np.array(xs, np.float64))


def state(sketch: NumericSketch) -> tuple[object, ...]:
    return (
        sketch.rows,
        sketch.missing,
        sketch.zeros,
        repr(sketch.minimum),
        repr(sketch.maximum),
        sketch.shift,
        sketch.codes.tolist(),
        sketch.counts.tolist(),
    )


def test_few_distinct_values_are_kept_exactly() -> None:
    sketch = sketch_numbers(np.array([3.0, 0.0, -1.5, 3.0, np.nan, -0.0, 0.1]))
    assert sketch.shift == 0
    assert sketch.bucket_values().tolist() == [-1.5, 0.0, 0.1, 3.0]
    assert sketch.counts.tolist() == [1, 2, 1, 2]
    assert (sketch.rows, sketch.missing, sketch.zeros) == (7, 1, 2)
    assert (sketch.minimum, sketch.maximum) == (-1.5, 3.0)


def test_infinities_count_as_missing() -> None:
    sketch = sketch_numbers(np.array([np.inf, -np.inf, 1.0]))
    assert (sketch.missing, sketch.valid, sketch.maximum) == (2, 1, 1.0)


def test_a_sketch_of_nothing_has_no_median() -> None:
    assert sketch_numbers(np.array([np.nan])).quantile(0.5) is None
    assert sketch_numbers(np.empty(0)).bucket_values().tolist() == []


@given(numbers, numbers)
def test_merging_equals_sketching_together_in_any_order(left: np.ndarray, right: np.ndarray) -> None:
    whole = state(sketch_numbers(np.concatenate([left, right])))
    assert state(sketch_numbers(left).merge(sketch_numbers(right))) == whole
    assert state(sketch_numbers(right).merge(sketch_numbers(left))) == whole


@given(
    st.integers(0, 2**32), st.integers(1, 6), st.sampled_from(["normal", "lognormal", "uniform", "integers", "wide"])
)
def test_collapsed_sketches_do_not_depend_on_order_or_parts(seed: int, parts: int, shape: str) -> None:
    rng = np.random.default_rng(seed)
    values = {
        "normal": rng.normal(size=5000),
        "lognormal": rng.lognormal(0, 4, 5000),
        "uniform": rng.uniform(2016, 2018, 5000),
        "integers": rng.integers(-2000, 2000, 5000).astype(np.float64),
        "wide": np.copysign(10.0 ** rng.uniform(-300, 300, 5000), rng.normal(size=5000)),
    }[shape]
    whole = state(sketch_numbers(values))
    assert len(whole[-1]) <= BUCKET_LIMIT
    merged = sketch_numbers(np.empty(0))
    for piece in np.array_split(rng.permutation(values), parts):
        merged = merged.merge(sketch_numbers(piece, merged.shift))
    assert state(merged) == whole


@given(st.integers(0, 2**32))
def test_merging_is_associative(seed: int) -> None:
    a, b, c = (sketch_numbers(part) for part in np.random.default_rng(seed).normal(size=(3, 900)))
    assert state(a.merge(b).merge(c)) == state(a.merge(b.merge(c)))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40), st.integers(0, 54))
def test_buckets_follow_the_order_of_values(values: list[float], shift: int) -> None:
    codes = [int(coarsen(sketch_numbers(np.array([value])), shift)[0][0]) for value in sorted(values)]
    assert codes == sorted(codes)


@pytest.mark.parametrize("values", [np.random.default_rng(1).normal(size=20_000), np.linspace(2016, 2018, 20_000)])
def test_quantiles_are_right_to_a_bucket(values: np.ndarray) -> None:
    sketch = sketch_numbers(values)
    for share in (0.1, 0.5, 0.9):
        exact = float(np.quantile(values, share))
        assert sketch.quantile(share) == pytest.approx(exact, rel=0.07, abs=0.01)


@pytest.mark.parametrize("values", [[5e-324, 1e308, -1e308], [1.7e308, -1.7e308, 0.0], [-0.0, -0.0]])
def test_extreme_values_come_back_from_their_buckets(values: list[float]) -> None:
    assert sketch_numbers(np.array(values)).bucket_values().tolist() == sorted(set(np.array(values) + 0.0))
