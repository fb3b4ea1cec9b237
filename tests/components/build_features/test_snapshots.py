from dataclasses import replace
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from components.build_features.snapshots import build_features
from components.contracts.errors import FeatureError
from components.contracts.handles import Handle
from components.features.snapshots.sets import current_set, open_set
from tests.components.build_features.homes import AS_OF, habits, home_of, quiet, small_shop, write_clean
from tests.components.features.frames import clean_tables, event, on

pytestmark = pytest.mark.slow(seconds=25)


def test_a_set_holds_the_snapshots_of_all_requests_and_of_the_as_of(tmp_path):
    home, clean = home_of(tmp_path)
    built = build_features(small_shop(), home, clean, quiet)
    feature_set = open_set(built.handle)
    assert feature_set.days == tuple(AS_OF - timedelta(days=7 * week) for week in range(6, -1, -1))
    assert current_set(home.features).digest == built.handle.digest
    assert built.facts.views["user_features"].entities == 8
    newest = pq.read_table(feature_set.newest("user_features"))
    assert set(newest["event_timestamp"].to_pylist()) == {AS_OF}
    assert max(newest["created_timestamp"].to_pylist()) <= AS_OF


def test_a_second_run_computes_nothing_and_a_later_one_only_what_is_new(tmp_path):
    home, clean = home_of(tmp_path)
    first = build_features(small_shop(), home, clean, quiet)
    again = build_features(small_shop(), home, clean, quiet)
    assert (again.facts.computed, again.handle.digest) == ([], first.handle.digest)
    later = replace(clean, as_of=on(77).isoformat())
    assert build_features(small_shop(), home, later, quiet).facts.computed == [on(77).isoformat()]


def test_a_late_row_changes_the_snapshots_that_know_it_and_no_others(tmp_path):
    home, clean = home_of(tmp_path)
    build_features(small_shop(), home, clean, quiet)
    late = clean_tables([event(30.5, "u1", "i01", known=60, event_id="late")], codes=[])
    changed = write_clean(home, {"events": late["events"]})
    changed = replace(changed, versions={**clean.versions, **changed.versions})
    computed = build_features(small_shop(), home, changed, quiet).facts.computed
    assert computed == [on(63).isoformat(), on(70).isoformat()]


def test_any_order_of_as_ofs_gives_what_fresh_homes_give(tmp_path):
    home, clean = home_of(tmp_path / "one")
    early = replace(clean, as_of=on(63).isoformat())
    build_features(small_shop(), home, clean, quiet)
    after = build_features(small_shop(), home, early, quiet)
    past = [row for row in habits() if row["event_time"] < on(63)]
    fresh, fresh_clean = home_of(tmp_path / "two", past)
    alone = build_features(small_shop(), fresh, replace(fresh_clean, as_of=on(63).isoformat()), quiet)
    assert _rows(after.handle) == _rows(alone.handle)
    assert current_set(home.features).as_of == AS_OF  # an older as-of does not take over


def test_nothing_before_the_as_of_is_an_error_that_says_so(tmp_path):
    home, clean = home_of(tmp_path)
    with pytest.raises(FeatureError, match="found no event known before"):
        build_features(small_shop(), home, replace(clean, as_of=on(-1).isoformat()), quiet)


def test_a_short_history_gives_the_snapshots_that_there_are(tmp_path):
    home, clean = home_of(tmp_path)
    built = build_features(small_shop(), home, replace(clean, as_of=on(9).isoformat()), quiet)
    assert built.facts.days == [on(2).isoformat(), on(9).isoformat()]


def _rows(features: Handle) -> list[dict]:
    chosen = open_set(features)
    users = pq.read_table(chosen.newest("user_features"))
    items = pq.read_table(chosen.newest("item_features"))
    codes = dict(zip(items["item_code"].to_pylist(), items["item_id"].to_pylist(), strict=True))
    rows = [*users.to_pylist(), *items.drop_columns(["item_code"]).to_pylist()]
    for row in rows:
        for name in ("history_item", "neighbour_item"):
            if name in row:
                row[name] = [codes[code] for code in row[name]]
    return rows
