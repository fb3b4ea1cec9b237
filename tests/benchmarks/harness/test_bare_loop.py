"""The bare loop stays a fair peer of the whole run."""

from components.shop.settings import Training
from tests.benchmarks.harness.bare_loop import ROUNDS


def test_it_fits_as_many_trees_as_a_run_may() -> None:
    ours = Training()
    assert {"rank:ndcg": ours.rounds, "binary:logistic": ours.logit_rounds} == ROUNDS
