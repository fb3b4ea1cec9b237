from pathlib import Path

import numpy as np
import pyarrow as pa

from components.contracts.ranking_examples import Split, read_split
from components.train_ranker.targets import inverse_propensities, position_propensities, training_targets
from tests.components.train_ranker.synthetic_examples import write_examples

EXAMINED = 1 / np.arange(1, 9) ** 0.7


def log(rows: int, sorted_by_appeal: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A click log in which better items tend to be shown higher."""
    random = np.random.default_rng(2)
    appeal = np.linspace(0.05, 0.6, 20)
    item = random.integers(0, 20, rows)
    place = np.clip(random.normal(4 - sorted_by_appeal * 10 * (appeal[item] - 0.3), 2.5), 0, 7).astype(int)
    clicked = random.random(rows) < appeal[item] * EXAMINED[place]
    return item, place + 1, clicked


def test_propensities_are_recovered_although_better_items_stand_higher() -> None:
    item, position, clicked = log(200_000, sorted_by_appeal=0.5)
    naive = np.array([clicked[position == place].mean() for place in range(1, 9)])
    propensities = position_propensities(item, position, clicked)
    np.testing.assert_allclose(propensities, EXAMINED, atol=0.05)
    assert np.abs(naive / naive[0] - EXAMINED).max() > 0.1


def test_a_position_seen_a_few_times_stays_between_the_clip_and_one() -> None:
    item, position, clicked = log(2_000, sorted_by_appeal=0)
    propensities = position_propensities(np.append(item, 0), np.append(position, 40), np.append(clicked, True))
    assert propensities.shape == (40,)
    assert propensities[0] == 1
    assert ((propensities >= 0.1) & (propensities <= 1)).all()


def test_a_click_counts_by_the_inverse_of_its_propensity_and_an_outcome_once() -> None:
    propensities = inverse_propensities(np.array([0, 1, 3]), np.array([1.0, 0.5, 0.25]))
    assert propensities.tolist() == [1.0, 1.0, 4.0]


def test_training_rows_with_positions_get_gains_and_weights(tmp_path: Path) -> None:
    split = read_split(Path(write_examples(tmp_path).uri), "train")
    positions = pa.array(np.arange(len(split.rows)) % 30 + 1, pa.int32())
    shown = Split(split.features, split.baselines, split.rows.set_column(5, "position", positions), split.requests)
    plain, no_propensities = training_targets(split)
    targets, propensities = training_targets(shown)
    assert no_propensities is None
    assert propensities is not None
    assert len(propensities) == 30
    assert plain.gains.max() == 1
    bought = targets.labels > 0
    np.testing.assert_array_equal(targets.gains[bought], targets.weights[bought])
    assert not targets.gains[~bought].any()
    assert (targets.weights[~bought] == 1).all()


def test_lists_ordered_for_their_user_are_no_bias_of_the_position(tmp_path: Path) -> None:
    """Everyone looks at everything, and what a user likes stands on top of their own list in most weeks."""
    split = read_split(Path(write_examples(tmp_path).uri), "train")
    random = np.random.default_rng(5)
    request, item = split.rows["request"].to_numpy(), split.rows["item_position"].to_numpy()
    liked = (item * 7 + split.requests["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()[request]) % 30
    order = np.lexsort((liked + random.normal(scale=5, size=len(liked)), request))
    position = np.empty(len(order), dtype=np.int32)
    position[order] = np.arange(len(order)) % 30 + 1
    label = (random.random(len(liked)) < np.where(liked < 10, 0.6, 0.1)).astype(np.float32)
    rows = split.rows.set_column(3, "label", pa.array(label)).set_column(5, "position", pa.array(position))
    _, propensities = training_targets(Split(split.features, split.baselines, rows, split.requests))
    naive = label[position > 20].mean() / label[position <= 5].mean()
    assert propensities is not None
    assert naive < 0.4
    assert np.mean(propensities[20:]) > 0.6
