import numpy as np
import pytest
import xgboost

from components.bundles.scoring import ranker_from
from components.contracts.errors import BundleError
from tests.components.bundles.drafts import BASELINES, ROWS, baseline_draft, ranker_draft


def test_the_score_is_the_weighted_sum_of_standardised_margins() -> None:
    draft = ranker_draft()
    rank, logit = (xgboost.Booster(model_file=bytearray(draft.models[name])) for name in ("rank", "logit"))
    matrix = xgboost.DMatrix(ROWS, missing=np.nan)
    expected = (rank.predict(matrix, output_margin=True) - 0.1) / 0.5
    expected += 0.5 * (logit.predict(matrix, output_margin=True) + 1.0) / 2.0
    found = ranker_from(draft.manifest, draft.models).score(ROWS, BASELINES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_row_scores_alike_alone_in_a_batch_and_on_more_threads() -> None:
    draft = ranker_draft()
    one, two = (ranker_from(draft.manifest, draft.models, threads) for threads in (1, 2))
    whole = one.score(ROWS, BASELINES)
    alone = np.concatenate([one.score(ROWS[row : row + 1], BASELINES[row : row + 1]) for row in range(len(ROWS))])
    np.testing.assert_array_equal(alone, whole)
    np.testing.assert_array_equal(two.score(ROWS, BASELINES), whole)


def test_contributions_differ_from_the_score_by_a_constant() -> None:
    draft = ranker_draft()
    ranker = ranker_from(draft.manifest, draft.models)
    rest = ranker.score(ROWS, BASELINES) - ranker.contributions(ROWS).sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-4)


def test_gain_shares_add_up_to_one_and_follow_the_label() -> None:
    draft = ranker_draft()
    shares = ranker_from(draft.manifest, draft.models).gain_shares()
    assert shares.sum() == pytest.approx(1)
    assert shares.argmax() == 0


def test_a_baseline_answers_with_its_column_and_explains_nothing() -> None:
    draft = baseline_draft()
    ranker = ranker_from(draft.manifest, {})
    np.testing.assert_array_equal(ranker.score(ROWS, BASELINES), BASELINES[:, 1])
    assert not ranker.contributions(ROWS).any()
    assert ranker.gain_shares().tolist() == [0, 0, 0]


def test_no_rows_give_no_scores() -> None:
    draft = ranker_draft()
    ranker = ranker_from(draft.manifest, draft.models)
    assert ranker.score(ROWS[:0], BASELINES[:0]).shape == (0,)
    assert ranker.contributions(ROWS[:0]).shape == (0, 3)


@pytest.mark.parametrize("kind", ["ranker", "baseline"])
def test_rows_of_another_width_are_refused(kind: str) -> None:
    draft = ranker_draft() if kind == "ranker" else baseline_draft()
    ranker = ranker_from(draft.manifest, draft.models)
    with pytest.raises(BundleError, match=r"of shape \(40, 1\), the bundle takes \[rows, [23]\]"):
        ranker.score(ROWS[:, :1], BASELINES[:, :1])


def test_a_model_of_another_width_than_the_feature_list_is_refused() -> None:
    draft = ranker_draft()
    manifest = ranker_draft().manifest.__class__(**{**vars(draft.manifest), "feature_names": ("a", "b", "c", "d")})
    with pytest.raises(BundleError, match=r"rank.ubj takes 3 features, the manifest lists 4"):
        ranker_from(manifest, draft.models)


def test_a_model_that_is_no_booster_is_refused() -> None:
    draft = ranker_draft()
    with pytest.raises(BundleError, match="unreadable"):
        ranker_from(draft.manifest, {**draft.models, "rank": b"not a model"})
