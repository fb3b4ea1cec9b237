"""Sampling by hashes of ids: it depends only on the seed and on the row itself, not on the order of rows."""

import hashlib
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from components.ranking.pairs import Pairs

Hashes = NDArray[np.uint64]


def id_hashes(ids: NDArray[np.object_], seed: int, time: datetime) -> Hashes:
    """Hash the users of requests at a time."""
    return _hashes(ids, f"{seed} {time.isoformat()} ")


def request_hashes(ids: NDArray[np.object_], seed: int) -> Hashes:
    """Hash the ids of requests."""
    return _hashes(ids, f"{seed} ")


def _hashes(ids: NDArray[np.object_], salt: str) -> Hashes:
    salted = salt.encode()
    digests = b"".join(hashlib.blake2b(salted + str(one).encode(), digest_size=8).digest() for one in ids)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def sampled_requests(hashes: Hashes, share: float) -> NDArray[np.bool_]:
    """Keep about a share of the requests."""
    return hashes.astype(np.float64) / 2.0**64 < share


def sampled_rows(pairs: Pairs, labels: NDArray[np.bool_], users: Hashes, negatives: int) -> NDArray[np.intp]:
    """Return the rows to train on: all positives, and some negatives a request, sampled uniformly over all sources."""
    chance = _mixed(users[pairs.user] ^ (pairs.item.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)))
    chance[labels] = 0
    order = np.lexsort((chance, ~labels, pairs.user))
    user = pairs.user[order]
    starts = np.flatnonzero(np.r_[True, user[1:] != user[:-1]]) if len(user) else np.empty(0, dtype=np.intp)
    place = np.arange(len(user)) - np.repeat(starts, np.diff(np.r_[starts, len(user)]))
    positives = np.bincount(pairs.user, weights=labels)[user] if len(user) else place
    return np.sort(order[place < positives + negatives])


def _mixed(value: Hashes) -> Hashes:
    """Mix bits (the finaliser of SplitMix64), so that near keys get far apart."""
    with np.errstate(over="ignore"):
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
