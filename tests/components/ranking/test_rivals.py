"""Of buy-it-again's family, the best on earlier weeks stands for all of it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from components.contracts.ranking_examples import Split
from components.ranking.rivals import best_rule, rivals

NAMES = ("popularity", "buy_it_again", "buy_it_again_slow", "buy_it_again_count", "no_op")


def week(requests: int, **knowing: Sequence[float]) -> Split:
    """Requests with four candidates, of which the last is bought; rules ``knowing`` of it score it as given."""
    request = np.repeat(np.arange(requests, dtype=np.int32), 4)
    bought = np.tile([0.0, 0.0, 0.0, 1.0], requests).astype(np.float32)
    scores = np.tile(-np.arange(4.0), requests)
    columns = [np.where(bought > 0, np.repeat(knowing.get(name, [0.0] * requests), 4), scores) for name in NAMES]
    rows = pa.table({"request": request, "label": bought})
    relevant = pa.table({"relevant": np.ones(requests, dtype=np.int32)})
    return Split(np.empty((len(request), 0), np.float32), np.column_stack(columns).astype(np.float32), rows, relevant)


NOTHING = Split(
    np.empty((0, 0), np.float32),
    np.empty((0, len(NAMES)), np.float32),
    pa.table({"request": pa.array([], pa.int32()), "label": pa.array([], pa.float32())}),
    pa.table({"relevant": pa.array([], pa.int32())}),
)


def test_the_best_of_the_family_on_all_earlier_weeks_stands_for_it() -> None:
    weeks = (week(3, buy_it_again_count=[1, 1, 1]), week(2, buy_it_again_slow=[1, 1]))
    assert rivals(NAMES, weeks, k=10) == ("buy_it_again_count", "popularity", "no_op")
    assert rivals(NAMES, weeks[1:], k=10) == ("buy_it_again_slow", "popularity", "no_op")


def test_without_earlier_weeks_the_first_of_the_family_stands_for_it() -> None:
    assert rivals(NAMES, (NOTHING, NOTHING), k=10) == ("buy_it_again", "popularity", "no_op")
    assert rivals(("popularity", "no_op"), (NOTHING,), k=10) == ("popularity", "no_op")


def test_a_shop_is_served_by_the_rule_that_was_best_on_the_validation_week() -> None:
    train = week(9, buy_it_again_slow=[1] * 9)
    assert best_rule(NAMES, train, week(2, popularity=[1, 1]), k=10) == "popularity"
    assert best_rule(NAMES, train, week(2, buy_it_again_slow=[1, 1]), k=10) == "buy_it_again_slow"
    assert best_rule(NAMES, train, NOTHING, k=10) == "buy_it_again_slow"


def test_a_shop_is_never_served_by_the_order_of_the_ids() -> None:
    assert best_rule(NAMES, NOTHING, week(2, no_op=[1, 1]), k=10) == "buy_it_again"
