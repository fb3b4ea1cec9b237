"""Promotions, rollbacks and merges at random, many at once, against one real Git server.

``RANKLOOP_TEST_PROMOTIONS=100 .venv/bin/pytest tests/components/gitops/test_concurrent.py`` makes a hundred of them.
"""

import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from components.bundles.digest import short
from components.bundles.loading import Bundle
from components.contracts.errors import PromotionError
from components.home.layout import Home
from tests.components.gitops.bench import Bench, bench
from tests.forges.forge import Forge
from tests.forges.served import FORGES
from tests.git_server import NOTHING

pytestmark = pytest.mark.slow(seconds=8)

ACTS = int(os.environ.get("RANKLOOP_TEST_PROMOTIONS", "16"))
AT_ONCE = 4
ALLOWED = ("has changed meanwhile", "somebody else pushed", "no earlier bundle")  # what is said to who comes too late


@pytest.fixture
def made(tmp_path: Path, home: Home) -> Iterator[Bench]:
    with bench(tmp_path, FORGES[ACTS % len(FORGES)], home) as each:
        yield each


def act(made: Bench, forge: Forge, bundles: list[Bundle], seed: int) -> str | None:
    """Promote, roll back or merge; return what a person would read where it is refused."""
    chance = random.Random(seed)
    what = chance.choices(("promote", "merge", "rollback"), (5, 4, 1))[0]
    try:
        if what == "promote":
            made.propose(chance.choice(bundles))
        elif what == "rollback":
            made.go_back()
        elif what == "merge" and forge.open_of():
            forge.merge(chance.choice(forge.open_of()))
    except PromotionError as error:
        return str(error)
    return None


def check(made: Bench, forge: Forge, bundles: list[Bundle]) -> None:
    """Check what must hold after any sequence of acts."""
    git, source = made.repository.git, made.repository.source("staging")
    assert git("rev-list", "--merges", "--count", "main") == "0"
    promotable = {bundle.digest for bundle in bundles}
    commits = git("rev-list", "main", "--", source).split()
    lines = [made.repository.text(source, commit).rpartition("value: ")[2] for commit in commits]
    assert set(lines) <= promotable | {NOTHING}
    assert all(one != before for one, before in pairwise(lines))
    *changes, _first = git("log", "--format=%x00", "--numstat", "main", "--", "manifests").split("\0")[1:]
    counts = [[line.split("\t")[:2] for line in change.split("\n") if line] for change in changes]
    assert counts == [[["1", "1"], ["1", "1"]]] * (len(commits) - 1)
    branches = [request.branch for request in forge.open_of()]
    assert len(branches) == len(set(branches))


def test_history_stays_linear_and_every_line_is_a_promotable_bundle(made: Bench, bundles: list[Bundle]) -> None:
    forge = made.forge
    assert forge is not None
    with ThreadPoolExecutor(AT_ONCE) as workers:
        said = list(workers.map(lambda seed: act(made, forge, bundles, seed), range(ACTS)))
    check(made, forge, bundles)
    assert [words for words in said if words and not any(allowed in words for allowed in ALLOWED)] == []
    newest = bundles[-1]
    made.propose(newest)
    for request in forge.open_of(f"rankloop/staging/{short(newest.digest)}"):
        assert forge.merge(request)
    assert made.environments.live("staging") == newest.digest
    check(made, forge, bundles)


def test_afterwards_the_newest_bundle_is_proposed_once_more_and_merged(made: Bench, bundles: list[Bundle]) -> None:
    forge = made.forge
    assert forge is not None
    with ThreadPoolExecutor(AT_ONCE) as workers:
        list(workers.map(made.propose, bundles[:3] * 2))
    assert sorted(request.branch for request in forge.requests) == sorted(
        f"rankloop/staging/{short(bundle.digest)}" for bundle in bundles[:3]
    )
    newest = next(each for each in forge.requests if each.branch.endswith(short(bundles[2].digest)))
    assert forge.merge(newest)
    made.propose(bundles[2])
    assert [request.state for request in forge.requests if request is not newest] == ["closed", "closed"]
    check(made, forge, bundles)
