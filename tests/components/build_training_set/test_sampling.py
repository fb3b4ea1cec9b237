import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from components.build_training_set.sampling import id_hashes, sampled_requests, sampled_rows
from components.ranking.pairs import Pairs
from tests.components.features.frames import on

USERS = np.array([f"u{n}" for n in range(6)], dtype=object)


def _pairs(sizes: list[int]) -> Pairs:
    user = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    item = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes]) if sizes else user
    return Pairs(user, item, np.zeros(len(user), dtype=np.uint32))


@given(sizes=st.lists(st.integers(0, 30), min_size=1, max_size=6), negatives=st.integers(0, 9), seed=st.integers(0, 99))
def test_every_success_is_kept_and_as_many_others_as_asked_for(sizes, negatives, seed):
    pairs = _pairs(sizes)
    labels = np.random.default_rng(seed).random(len(pairs)) < 0.2
    kept = sampled_rows(pairs, labels, id_hashes(USERS, seed, on(1)), negatives)
    assert np.array_equal(kept, np.unique(kept))
    assert set(np.flatnonzero(labels)) <= set(kept)
    others = np.bincount(pairs.user[~labels], minlength=len(sizes))
    kept_others = np.bincount(pairs.user[kept][~labels[kept]], minlength=len(sizes))
    assert np.array_equal(kept_others, np.minimum(others, negatives))


def test_what_is_kept_of_a_user_depends_on_no_other_user():
    both, hashes = _pairs([20, 20]), id_hashes(USERS[:2], 7, on(1))
    kept = sampled_rows(both, np.zeros(40, dtype=bool), hashes, 5)
    alone = sampled_rows(_pairs([20]), np.zeros(20, dtype=bool), hashes[1:], 5)
    assert np.array_equal(kept[kept >= 20] - 20, alone)


def test_a_share_of_requests_is_kept_by_user_and_time():
    ids = np.array([f"u{n}" for n in range(4000)], dtype=object)
    kept = sampled_requests(id_hashes(ids, 7, on(1)), 0.25)
    assert 0.2 < kept.mean() < 0.3
    assert not np.array_equal(kept, sampled_requests(id_hashes(ids, 7, on(8)), 0.25))
