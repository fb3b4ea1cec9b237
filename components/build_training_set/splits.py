"""Builds one split of the examples: several request times at once, written in their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.build_training_set.requests import NO_RECALL, Recall, examples_at
from components.build_training_set.sampling import id_hashes, sampled_requests
from components.contracts.ranking_examples import Split, SplitFiles
from components.contracts.steps.facts import RecallFacts, SplitFacts
from components.ranking.baselines import BASELINE_NAMES
from components.ranking.features import FEATURE_NAMES
from components.ranking.rows import item_rows, user_rows
from components.shop.settings import Shop
from feature_repo.point_in_time import PointInTime

NEGATIVES = 25  # rows without success kept of a training request, uniformly: more cost time and gain nothing
TIMES_AT_ONCE = 2  # each holds the rows of all its users
Block = tuple[Split, Recall]
Task = Callable[[], Block]
Located = dict[datetime, dict[datetime, pa.Array]]  # ids by snapshot, by request time


@contextmanager
def built_in_order(tasks: Iterable[Task]) -> Iterator[Iterator[Block]]:
    """Build blocks in threads: a few at once, no more ahead of the one that is taken, in the order of the tasks."""
    with ThreadPoolExecutor(TIMES_AT_ONCE) as pool:
        yield _in_order(tasks, pool)


def _in_order(tasks: Iterable[Task], pool: ThreadPoolExecutor) -> Iterator[Block]:
    building: deque[Future[Block]] = deque()
    for task in tasks:
        building.append(pool.submit(task))
        if len(building) > TIMES_AT_ONCE:
            yield building.popleft().result()
    while building:
        yield building.popleft().result()


class SplitBuilder:
    """Builds and writes one split, given the outcomes of its request times; ``share`` of its requests are taken."""

    def __init__(
        self, split: str, shop: Shop, joined: PointInTime, known: dict[datetime, pa.Table], share: float
    ) -> None:
        self.split, self.shop, self.joined, self.share = split, shop, joined, share
        users, items = self._located(known)
        self.times = tuple(users)
        self.tasks = tuple(partial(self._block, time, known[time], users[time], items[time]) for time in users)

    def write(
        self, draft: Path, blocks: Iterator[Block], say: Callable[[str], None], more: Iterable[Split] = ()
    ) -> SplitFacts:
        """Write the split's files: the next of the ``blocks``, ``more`` last; return counts, recall and slices."""
        recall, names = NO_RECALL, np.empty(0, dtype=object)
        with SplitFiles(draft, self.split, len(FEATURE_NAMES), len(BASELINE_NAMES)) as files:
            for number, time in enumerate(self.times, start=1):
                say(f"{self.split}: request time {number} of {len(self.times)}, {time:%Y-%m-%d}")
                block, found = next(blocks)
                files.append(block)
                recall += found
                names = np.r_[names, pc.list_flatten(block.requests["slices"]).to_numpy(zero_copy_only=False)]
            for block in more:
                say(f"{self.split}: {len(block.requests):,} logged requests")
                files.append(block)
        counted = dict(zip(*(part.tolist() for part in np.unique(names, return_counts=True)), strict=True))
        return SplitFacts(files.requests, files.rows, counted, _recall_facts(recall))

    def _located(self, known: dict[datetime, pa.Table]) -> tuple[Located, Located]:
        """Return the snapshots that Feast lets each request see, for its users and all items; times with users only."""
        asked = {time: self._asking(time, outcome) for time, outcome in known.items()}
        asked = {time: ids for time, ids in asked.items() if len(ids)}
        if not asked:
            return {}, {}
        users = self.joined.located("user_features", asked)
        items = self.joined.located("item_features", {time: self._known_items(time) for time in asked})
        return {time: found for time, found in users.items() if found}, items

    def _asking(self, time: datetime, outcome: pa.Table) -> pa.Array:
        ids = pc.unique(outcome["user_id"]).sort()
        if self.share >= 1:
            return ids
        hashes = id_hashes(ids.to_numpy(zero_copy_only=False), self.shop.training.seed, time)
        return ids.filter(pa.array(sampled_requests(hashes, self.share)))

    def _known_items(self, time: datetime) -> pa.Array:
        feature_set = self.joined.feature_set
        return feature_set.ids("item_features", max(day for day in feature_set.days if day <= time))

    def _block(
        self, time: datetime, outcome: pa.Table, users: dict[datetime, pa.Array], items: dict[datetime, pa.Array]
    ) -> Block:
        item_table = item_rows(self.joined.rows("item_features", time, items))
        user_table = user_rows(self.joined.rows("user_features", time, users), item_table)
        asked = outcome.filter(pc.is_in(outcome["user_id"], value_set=pa.array(user_table.user_ids, pa.string())))
        hashes = id_hashes(user_table.user_ids, self.shop.training.seed, time)
        negatives = NEGATIVES if self.split == "train" else None
        return examples_at(user_table, item_table, asked, time, self.shop.candidates, hashes, negatives)


def _recall_facts(recall: Recall) -> RecallFacts:
    relevant = max(recall.relevant, 1)
    by_source = {name: round(count / relevant, 4) for name, count in recall.by_source.items()}
    return RecallFacts(recall.relevant, round(recall.found / relevant, 4), by_source)
