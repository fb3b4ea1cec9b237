"""Models of shuffled labels pass as luck wherever the data are clean, and fail wherever the shuffle does not bite."""

import numpy as np
import pyarrow as pa
import pytest

from components.contracts.ranking_examples import Split
from components.contracts.verdict import Check
from components.evaluate_ranker import label_shuffle
from components.evaluate_ranker.heldout import heldout_requests
from components.evaluate_ranker.label_shuffle import check_label_shuffle
from tests.components.train_ranker.synthetic_examples import AS_OF, WEEK, World, draw_split

SMALL = World(users=80, candidates=40, taste=3.0)


def examples(world: World) -> tuple[Split, Split]:
    """A training split and a held-out one, in which a single feature all but decides what is bought."""
    random = np.random.default_rng(world.seed)
    return draw_split(world, [AS_OF - 3 * WEEK], random), draw_split(world, [AS_OF - WEEK], random)


def checked(train: Split, heldout: Split, seed: int = 7) -> Check:
    judged = heldout_requests(heldout, train, 10, sold=pa.array([], pa.string()))
    return check_label_shuffle(train, judged, np.asarray(heldout.features[:, 0]), seed)


def in_order(split: Split, order: np.ndarray) -> Split:
    """The rows of a split in another order, numbered again."""
    rows = split.rows.take(pa.array(order)).set_column(2, "item_position", split.rows["item_position"])
    return Split(split.features[order], split.baselines[order], rows, split.requests)


@pytest.mark.parametrize("seed", range(6))
def test_clean_examples_pass_however_strong_one_feature_is(seed: int) -> None:
    outcome = checked(*examples(World(users=80, candidates=40, taste=3.0, seed=seed)), seed=seed)
    assert outcome.passed, outcome.reason
    assert "by luck alone" in outcome.reason


def test_a_shuffle_that_does_not_shuffle_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_shuffle, "shuffled_within", lambda labels, group, random: labels)
    outcome = checked(*examples(SMALL))
    assert not outcome.passed
    assert "better than luck explains" in outcome.reason


def test_a_shuffle_that_leaves_some_labels_in_place_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def lazy(labels: np.ndarray, group: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return np.where(
            random.random(len(labels)) < 0.6, labels[np.lexsort((random.random(len(group)), group))], labels
        )

    monkeypatch.setattr(label_shuffle, "shuffled_within", lazy)
    assert not checked(*examples(SMALL)).passed


def test_rows_sorted_by_outcome_are_caught() -> None:
    train, heldout = examples(SMALL)
    request, label = heldout.rows["request"].to_numpy(), heldout.rows["label"].to_numpy()
    outcome = checked(train, in_order(heldout, np.lexsort((-label, request))))
    assert not outcome.passed
    assert "do not follow their request's item ids" in outcome.reason


def test_a_catalogue_in_the_order_of_outcomes_is_caught() -> None:
    train, heldout = examples(SMALL)
    request, label = heldout.rows["request"].to_numpy(), heldout.rows["label"].to_numpy()
    sorted_labels = pa.array(label[np.lexsort((-label, request))])
    rows = heldout.rows.set_column(3, "label", sorted_labels)
    outcome = checked(train, Split(heldout.features, heldout.baselines, rows, heldout.requests))
    assert not outcome.passed
    assert "the order of the rows alone reaches NDCG@10" in outcome.reason
