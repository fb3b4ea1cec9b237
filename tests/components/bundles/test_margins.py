"""Margins are those of XGBoost's own call, to the last bit."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xgboost

from components.bundles.margins import margins
from components.bundles.scoring import booster_from
from tests.components.bundles.drafts import ROWS, ranker_draft


@pytest.mark.parametrize("name", ["rank", "logit"])
@pytest.mark.parametrize(
    "rows",
    [ROWS, ROWS[:1], np.asfortranarray(ROWS), ROWS[::2], ROWS.astype(np.float64), np.full_like(ROWS, np.nan)],
    ids=["all", "one", "by column", "every second", "float64", "missing"],
)
def test_margins_are_those_of_the_library(name: str, rows: np.ndarray) -> None:
    booster = booster_from(ranker_draft().models[name], threads=1)
    expected = booster.inplace_predict(rows, predict_type="margin", missing=np.nan, validate_features=False)
    scores = margins(booster, rows)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, expected)


def test_an_answer_outlives_the_next_call() -> None:
    booster = booster_from(ranker_draft().models["rank"], threads=1)
    first = margins(booster, ROWS)
    kept = first.copy()
    margins(booster, ROWS[::-1])
    np.testing.assert_array_equal(first, kept)


def test_threads_may_ask_at_once() -> None:
    booster = booster_from(ranker_draft().models["rank"], threads=1)
    parts = [ROWS[start:] for start in range(len(ROWS))] * 10
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda rows: margins(booster, rows), parts))
    for rows, values in zip(parts, found, strict=True):
        np.testing.assert_array_equal(values, margins(booster, rows))


def test_rows_of_another_width_are_refused_by_the_library() -> None:
    booster = booster_from(ranker_draft().models["rank"], threads=1)
    with pytest.raises(xgboost.core.XGBoostError):
        margins(booster, ROWS[:, :1])
    np.testing.assert_array_equal(margins(booster, ROWS), margins(booster, ROWS.copy()))
