from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.bundles.loading import load_ranker, open_bundle
from components.contracts.errors import TrainingError
from components.contracts.handles import Handle
from components.contracts.ranking_examples import Split, read_manifest, read_split, write_manifest
from components.contracts.steps.declared import StepResult
from components.drift.sketch_codec import sketches_from_json
from components.home.layout import Home
from components.shop.settings import Shop
from components.train_ranker.boosting import kept_rounds
from components.train_ranker.training import train_ranker
from tests.components.train_ranker.synthetic_examples import World, small_shop, write_examples, write_split


def train(folder: Path, examples: Handle, shop: Shop | None = None, run_id: str = "run-1") -> StepResult[Any]:
    return train_ranker(shop or small_shop(), Home(folder / "home"), examples, run_id, lambda _: None)


def with_training(**changes: object) -> Shop:
    shop = small_shop()
    return shop.model_copy(update={"training": shop.training.model_copy(update=changes)})


def replaced(examples: Handle, name: str, **columns: object) -> None:
    """Change columns of a split's rows on disk."""
    folder = Path(examples.uri)
    split = read_split(folder, name)
    rows = split.rows
    for column, values in columns.items():
        at = rows.schema.get_field_index(column)
        rows = rows.set_column(at, column, pa.array(values, rows.schema.field(column).type))
    write_split(folder, name, Split(np.array(split.features), np.array(split.baselines), rows, split.requests))


def test_a_ranker_learns_what_is_bought_and_says_how(tmp_path: Path) -> None:
    said: list[str] = []
    examples = write_examples(tmp_path / "examples")
    drafted = train_ranker(small_shop(), Home(tmp_path / "home"), examples, "run-1", said.append)
    facts = drafted.facts
    assert facts.kind == "ranker"
    assert facts.validation_ndcg > 1.5 * max(facts.validation_baselines.values())
    assert next(iter(facts.importance)) == "taste"
    assert len(facts.curve["rank"]) >= facts.rounds["rank"]
    assert "rank model: round 1 of at most 30, validation NDCG" in " ".join(said)
    assert drafted.rows_in == 60 * 30 * 4


def test_the_draft_is_a_whole_bundle_with_reference_and_sidecar(tmp_path: Path) -> None:
    drafted = train(tmp_path, write_examples(tmp_path / "examples"))
    bundle = open_bundle(Path(drafted.handle.uri), drafted.handle.digest)
    load_ranker(bundle)
    assert bundle.sidecar.train_end == "2024-05-20T00:00:00+00:00"
    assert bundle.sidecar.versions == {"events": 3}
    assert bundle.sidecar.verdict is None
    reference = sketches_from_json(bundle.sketches).tables
    assert set(reference["features"].columns) == set(bundle.manifest.feature_names)
    assert reference["predictions"].rows == 60 * 30
    assert b"user-0" not in b"".join(path.read_bytes() for path in bundle.folder.iterdir())


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_examples_give_the_same_bundle_to_the_bit(tmp_path: Path, threads: int) -> None:
    examples = write_examples(tmp_path / "examples")
    shop = with_training(threads=threads, columns_per_tree=0.5)
    digests = {train(tmp_path, examples, shop, run_id).handle.digest for run_id in ("a", "b", "c")}
    assert len(digests) == 1
    assert (
        train(tmp_path, examples, with_training(threads=threads, columns_per_tree=0.5, seed=8)).handle.digest
        not in digests
    )


def test_the_pairwise_model_alone_is_a_ranker_too(tmp_path: Path) -> None:
    drafted = train(tmp_path, write_examples(tmp_path / "examples"), with_training(logit_weight=0))
    assert list(drafted.facts.rounds) == ["rank"]


def test_too_little_data_drafts_the_best_baseline_and_says_why(tmp_path: Path) -> None:
    world = World(manifest={"enough": False, "shortfall": "12 users, at least 100 are needed"})
    drafted = train(tmp_path, write_examples(tmp_path / "examples", world))
    bundle = open_bundle(Path(drafted.handle.uri))
    assert (bundle.manifest.kind, bundle.manifest.baseline) == ("baseline", "popularity")
    assert drafted.facts.reason == "12 users, at least 100 are needed"


def test_requests_that_teach_nothing_do_not_count_as_data(tmp_path: Path) -> None:
    examples = write_examples(tmp_path / "examples")
    labels = np.zeros(60 * 30 * 3, dtype=np.float32)
    labels[::30] = 1
    labels[19 * 30 :] = 0
    replaced(examples, "train", label=labels)
    facts = train(tmp_path, examples).facts
    assert facts.kind == "baseline"
    assert facts.reason.startswith("19 training requests have both a success and another candidate; at least 20")


def test_a_shop_without_any_request_still_gets_a_baseline(tmp_path: Path) -> None:
    world = World(users=0, manifest={"enough": False, "shortfall": "no user has a history"})
    drafted = train(tmp_path, write_examples(tmp_path / "examples", world))
    assert open_bundle(Path(drafted.handle.uri)).manifest.name == "popularity"
    assert drafted.facts.validation_ndcg is None


def test_without_a_baseline_too_little_data_is_an_error(tmp_path: Path) -> None:
    examples = write_examples(tmp_path / "examples", World(manifest={"enough": False}))
    folder = Path(examples.uri)
    write_manifest(folder, replace(read_manifest(folder), baseline_names=[]))
    with pytest.raises(TrainingError, match="hold no baseline"):
        train(tmp_path, examples)


@pytest.mark.parametrize(
    ("column", "value"), [("label", np.nan), ("weight", np.nan), ("weight", -1.0), ("label", np.inf)]
)
def test_labels_and_weights_that_are_not_numbers_are_refused(tmp_path: Path, column: str, value: float) -> None:
    examples = write_examples(tmp_path / "examples")
    values = read_split(Path(examples.uri), "train").rows[column].to_numpy().copy()
    values[:4] = value
    replaced(examples, "train", **{column: values})
    with pytest.raises(
        TrainingError, match=f"4 of 5400 training rows have a {column} that is negative or not a number"
    ):
        train(tmp_path, examples)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_feature_that_knows_the_outcome_is_refused(tmp_path: Path, sign: int) -> None:
    examples = write_examples(tmp_path / "examples")
    split = read_split(Path(examples.uri), "validation")
    features = np.array(split.features)
    features[:, 2] = sign * split.rows["label"].to_numpy()
    write_split(
        Path(examples.uri), "validation", replace(split, features=features, baselines=np.array(split.baselines))
    )
    with pytest.raises(TrainingError, match=r"feature noise alone ranks the validation candidates with NDCG@10 1\.000"):
        train(tmp_path, examples)


def test_a_shop_whose_customers_repeat_themselves_is_no_leak(tmp_path: Path) -> None:
    examples = write_examples(tmp_path / "examples")
    split = read_split(Path(examples.uri), "validation")
    features, baselines = np.array(split.features), np.array(split.baselines)
    features[:, 2] = baselines[:, 0] = split.rows["label"].to_numpy()
    write_split(Path(examples.uri), "validation", replace(split, features=features, baselines=baselines))
    assert train(tmp_path, examples).facts.kind == "ranker"
    baselines[:, 1], baselines[:, 0] = split.rows["label"].to_numpy(), 0  # the order of the ids is no rule
    write_split(Path(examples.uri), "validation", replace(split, features=features, baselines=baselines))
    with pytest.raises(TrainingError, match="feature noise alone"):
        train(tmp_path, examples)


def test_infinite_features_are_refused(tmp_path: Path) -> None:
    examples = write_examples(tmp_path / "examples")
    split = read_split(Path(examples.uri), "train")
    features = np.array(split.features)
    features[5, 0] = np.inf
    write_split(Path(examples.uri), "train", replace(split, features=features, baselines=np.array(split.baselines)))
    with pytest.raises(TrainingError, match="features must be finite or missing"):
        train(tmp_path, examples)


def test_tuning_tries_the_shop_files_parameters_first_and_repeats(tmp_path: Path) -> None:
    examples = write_examples(tmp_path / "examples", World(users=25))
    shop = with_training(tuning_trials=3, rounds=5)
    first, second = (train(tmp_path, examples, shop, run_id) for run_id in ("a", "b"))
    assert len(first.facts.tuning) == 3
    assert first.facts.tuning[0]["depth"] == shop.training.depth
    assert first.handle.digest == second.handle.digest


def test_trees_are_kept_while_the_smoothed_curve_holds_and_one_lucky_round_does_not_end_them() -> None:
    rising = [0.3 + 0.001 * number for number in range(50)]
    assert kept_rounds(rising) == 50
    assert kept_rounds([*rising[:5], 0.36, *rising[6:]]) == 50
    assert 50 <= kept_rounds([*rising, *(0.33 for _ in range(40))]) < 56
    assert kept_rounds([0.3]) == 1


@pytest.mark.parametrize(("share", "kept"), [(0.995, 60), (0.98, 24)])
def test_a_curve_holds_its_best_within_a_hundredth(share: float, kept: int) -> None:
    assert kept_rounds([0.3] * 20 + [0.3 * share] * 40) == kept
