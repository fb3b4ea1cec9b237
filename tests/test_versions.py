"""Versions are raised when meaning changes, and syntax that changed is looked at by somebody."""

import json

import pytest

from tests.versions import GOLDEN, VERSIONS, Versioned, current


@pytest.mark.parametrize("versioned", VERSIONS, ids=lambda each: each.constant)
def test_what_a_version_stands_for_says_what_it_said(versioned: Versioned) -> None:
    golden, now = json.loads(GOLDEN.read_text())[versioned.constant], current()[versioned.constant]
    assert golden == now, (
        f"the syntax of a module that {versioned.constant} stands for has changed, so its meaning may have, too. If the"
        " same inputs can give other values, raise the version: bundles, snapshots, examples or rows made before are"
        " not used any more. In both cases write the new digests: python -m tests.versions. The modules are: "
        + ", ".join(versioned.modules())
    )


def test_versions_stand_for_the_modules_that_compute() -> None:
    reached = {name for versioned in VERSIONS for name in versioned.modules()}
    assert {
        "components.ranking.pair_columns",
        "components.ranking.candidates",
        "components.features.user_features",
        "components.features.hazards",
        "components.lake.zones",
        "components.build_training_set.splits",
        "feature_repo.point_in_time",
        "feature_repo.packed_online_store.layout",
        "feature_repo.packed_online_store.held_ids",
    } <= reached
