"""Every column that ranking asks for is one that the feature views hold: a missing one would be NaN without a word."""

from dataclasses import replace

import numpy as np
import pytest

from components.features.snapshots.schemas import view_schemas
from components.ranking.baselines import BASELINES
from components.ranking.features import FEATURES
from components.ranking.pair_columns import PairColumns
from components.ranking.pairs import Pairs
from components.ranking.rows import Floats
from tests.components.features.frames import PLAIN
from tests.components.ranking.frames import items_of, users_of

pytestmark = pytest.mark.slow(seconds=40)

EVERYTHING = replace(PLAIN, browsing=("view", "click", "add_to_cart"), category_levels=2, promotions=True)


class AskedColumns(PairColumns):
    """Notes what it is asked for."""

    def __init__(self) -> None:
        items = items_of({"a": 0})
        pairs = Pairs(np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(1, np.uint32))
        super().__init__(users_of(items, {"u": {0: 1.0}}), items, pairs)
        self.asked: set[tuple[str, str]] = set()

    def user(self, name: str) -> Floats:
        self.asked.add(("user_features", name))
        return super().user(name)

    def item(self, name: str) -> Floats:
        self.asked.add(("item_features", name))
        return super().item(name)

    def hazard(self, array: str) -> Floats:
        self.asked.add(("item_features", array))
        return super().hazard(array)

    def listed(self, group: str, name: str, is_count: bool = False) -> Floats:
        self.asked.add(("user_features", f"{group}_{name}"))
        return super().listed(group, name, is_count)


@pytest.mark.parametrize("definition", [*FEATURES.items(), *BASELINES.items()], ids=lambda pair: pair[0])
def test_columns_that_are_asked_for_are_stored(definition) -> None:
    columns = AskedColumns()
    with np.errstate(all="ignore"):
        definition[1](columns)
    schemas = view_schemas(EVERYTHING)
    assert [f"{view}.{name}" for view, name in columns.asked if name not in schemas[view].names] == []
