"""The categorical sketch: names while they are few, an exact sample by hash when they are many."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.contracts.errors import FeatureError
from components.drift.binning import largest_new, new_category_share, vanished_category_share
from components.drift.categorical import CATEGORY_LIMIT, CategoricalSketch, sketch_categories

categories = st.lists(st.none() | st.text(max_size=3), max_size=40)


def state(sketch: CategoricalSketch) -> tuple[object, ...]:
    return sketch.rows, sketch.missing, sketch.level, sketch.bins.tolist(), dict(sketch.known)


def texts(values: list[str | None]) -> pa.Array:
    return pa.array(values, pa.string())


def counts(sketch: CategoricalSketch) -> dict[str | None, int]:
    return {category.name: category.rows for category in sketch.known.values()}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (texts(["a", None, "b", "a"]), {"a": 2, "b": 1}),
        (pa.array([True, None, True]), {"true": 2}),
        (pa.array([7, 7, None]), {"7": 2}),
        (texts(["x", None, "x"]).dictionary_encode(), {"x": 2}),
        (pa.DictionaryArray.from_arrays([0, 1, 2], ["p", None, "p"]), {"p": 2}),
        (pa.array(["l", None], pa.large_string()), {"l": 1}),
        (pa.array([None, None], pa.null()), {}),
        (texts([""]), {"": 1}),
    ],
)
def test_every_layout_is_counted_by_name(column: pa.Array, expected: dict[str, int]) -> None:
    sketch = sketch_categories(column)
    assert counts(sketch) == expected
    assert sketch.rows == len(column)
    assert sketch.valid == sum(expected.values()) == sketch.bins.sum()


def test_a_slice_counts_only_its_own_rows() -> None:
    assert counts(sketch_categories(texts(["a", "b", "b"]).dictionary_encode().slice(1))) == {"b": 2}


def test_nested_values_are_refused() -> None:
    with pytest.raises(FeatureError, match="cannot be read as categories"):
        sketch_categories(pa.DictionaryArray.from_arrays([0], pa.array([b"\xff"])))


@given(categories, categories)
def test_merging_equals_sketching_together_in_any_order(left: list[str | None], right: list[str | None]) -> None:
    whole = state(sketch_categories(texts(left + right)))
    assert state(sketch_categories(texts(left)).merge(sketch_categories(texts(right)))) == whole
    assert state(sketch_categories(texts(right)).merge(sketch_categories(texts(left)))) == whole


@settings(max_examples=15)
@given(st.permutations(range(6)))
def test_many_categories_stay_bounded_nameless_and_independent_of_order(order: list[int]) -> None:
    names = [f"item-{number}" for number in range(3000)]
    whole = sketch_categories(texts(names))
    assert whole.level > 0
    assert 0 < len(whole.known) <= CATEGORY_LIMIT
    assert {category.name for category in whole.known.values()} == {None}
    merged = sketch_categories(texts([]))
    for part in order:
        merged = merged.merge(sketch_categories(texts(names[part * 500 : (part + 1) * 500])))
    assert state(merged) == state(whole)


def test_new_categories_are_seen() -> None:
    reference = sketch_categories(texts(["a", "b"] * 50))
    assert new_category_share(reference, sketch_categories(texts(["a", "b", "c", "c"]))) == 0.5
    assert new_category_share(reference, reference) == 0.0
    assert new_category_share(reference, sketch_categories(texts([None]))) == 0.0


def test_too_many_categories_to_keep_are_not_named() -> None:
    few, many = sketch_categories(texts(["a"])), sketch_categories(texts([f"item-{number}" for number in range(3000)]))
    assert largest_new(many, few) == largest_new(few, many) == ""
    assert vanished_category_share(many, few, smaller=1000, alpha=0.01) == 0  # each is too rare to be missed


def test_new_categories_are_estimated_when_there_are_too_many_to_keep() -> None:
    shares = []
    for shop in "abcdefgh":
        names = [f"{shop}-{number}" for number in range(24_000)]
        reference, live = sketch_categories(texts(names[:20_000])), sketch_categories(texts(names[14_000:]))
        shares.append(new_category_share(reference, live))
    assert sum(shares) / len(shares) == pytest.approx(0.4, abs=0.03)
    assert max(abs(share - 0.4) for share in shares) < 0.1
