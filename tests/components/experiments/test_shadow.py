"""A shadow's lists beside what was shown, and beside what was clicked."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from components.contracts.feedback import SERVED, SERVED_EVENTS
from components.experiments.outcomes import find_hits
from components.experiments.shadow import ShadowReadout, read_shadow

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def shown(user: str, items: str, shadow: str | None) -> dict[str, Any]:
    """A list of one-letter items."""
    row = {"request_id": f"of {user}", "event_time": NOON, "user_id": user, "item_ids": list(items), "arm": "champion"}
    return row if shadow is None else row | {"shadow_arm": "challenger", "shadow_item_ids": list(shadow)}


def click(user: str, item: str) -> dict[str, Any]:
    at = NOON + timedelta(hours=1)
    return {"event_id": user + item, "event_time": at, "event_type": "click", "user_id": user, "item_id": item}


def readout(
    lists: list[dict[str, Any]], *clicks: dict[str, Any], chosen: list[bool] | None = None
) -> ShadowReadout | None:
    table = pa.Table.from_pylist(lists, SERVED)
    hits = find_hits(table, pa.Table.from_pylist(list(clicks), SERVED_EVENTS), timedelta(days=7))
    return read_shadow(table, np.array(chosen or [True] * len(lists), dtype=bool), hits)


def test_without_a_shadow_there_is_nothing_to_read() -> None:
    assert readout([shown("ann", "abc", None)], click("ann", "a")) is None
    assert readout([shown("ann", "abc", "abc")], chosen=[False]) is None
    assert readout([]) is None


@pytest.mark.parametrize(
    ("items", "shadow", "overlap", "correlation"),
    [
        ("abcd", "abcd", 1.0, 1.0),
        ("abcd", "dcba", 1.0, -1.0),
        ("abcd", "axby", 0.5, 1.0),
        ("abcd", "bxay", 0.5, -1.0),
        ("abcd", "xyza", 0.25, None),
        ("abcd", "wxyz", 0.0, None),
        ("abcd", "", 0.0, None),
        ("", "abcd", None, None),
        ("abcd", "bacd", 1.0, 0.8),
    ],
)
def test_how_alike_two_lists_are(items: str, shadow: str, overlap: float | None, correlation: float | None) -> None:
    report = readout([shown("ann", items, shadow)])
    assert report is not None
    assert (report.overlap.value, report.rank_correlation.value) == (overlap, pytest.approx(correlation))


def test_the_correlation_is_spearmans() -> None:
    random = np.random.default_rng(1)
    items = np.array(list("abcdefghij"))
    for _ in range(20):
        other = random.permutation(list("abcdefghijklmno"))[:10]
        both = [item for item in items if item in other]
        if len(both) > 1:
            expected = stats.spearmanr(range(len(both)), [other.tolist().index(item) for item in both]).statistic
            report = readout([shown("ann", "".join(items), "".join(other))])
            assert report is not None
            assert report.rank_correlation.value == pytest.approx(expected)


def test_clicks_that_the_shadow_had_higher_lower_or_not_at_all() -> None:
    lists = [shown("ann", "abc", "cba"), shown("ben", "abc", None), shown("cem", "abc", "axy"), shown("dan", "a", "a")]
    clicks = [click("ann", "c"), click("ann", "c"), click("ann", "a"), click("ben", "a"), click("cem", "a")]
    report = readout(lists, *clicks, click("cem", "b"), click("dan", "a"), chosen=[True, True, True, False])
    assert report is not None
    assert (report.arm, report.lists, report.clicks) == ("challenger", 2, 4)
    shares = (report.higher.value, report.same.value, report.lower.value, report.missing.value)
    assert shares == (0.25, 0.25, 0.25, 0.25)
    assert report.reciprocal_rank_gain.value == pytest.approx(np.mean([1 - 1 / 3, 1 / 3 - 1, 0, 0 - 1 / 2]))
    assert report.reciprocal_rank_gain.ci95 is not None


def test_a_shadow_without_clicks_has_no_shares_of_them() -> None:
    report = readout([shown("ann", "abc", "cba")])
    assert report is not None
    assert (report.clicks, report.higher.value, report.reciprocal_rank_gain.value) == (0, None, None)
