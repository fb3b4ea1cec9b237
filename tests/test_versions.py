"""A change of syntax where a version may have to be raised does not pass unseen."""

import json
from dataclasses import replace

import pytest

from components.features.snapshots import schemas
from components.features.snapshots.schemas import feature_revision
from components.ranking import features
from components.ranking.features import feature_list
from tests.components.features.frames import PLAIN
from tests.versions import GOLDEN, VERSIONS, Versioned


@pytest.mark.parametrize("versioned", VERSIONS, ids=lambda each: each.constant)
def test_modules_have_the_syntax_that_their_version_was_written_for(versioned: Versioned) -> None:
    golden, now = json.loads(GOLDEN.read_text())[versioned.constant], versioned.current()
    assert golden == now, (
        f"the syntax of a module that {versioned.constant} covers has changed, so its meaning may have, too. If the"
        " same inputs can give other values, raise the version: bundles, snapshots, examples or rows made before are"
        " not used any more. In both cases write the new digests: python -m tests.versions. The modules are: "
        + ", ".join(versioned.modules())
    )


def test_versions_cover_the_modules_that_compute() -> None:
    reached = {name for versioned in VERSIONS for name in versioned.modules()}
    assert {
        "components.ranking.pair_columns",
        "components.ranking.candidates",
        "components.features.views.user_features",
        "components.features.views.hazards",
        "components.lake.zones",
        "components.build_training_set.splits",
        "feature_repo.point_in_time",
        "feature_repo.packed_online_store.layout",
        "feature_repo.packed_online_store.held_ids",
        "feature_repo.packed_online_store.writing",
        "feature_repo.packed_online_store.feast.values",
        "components.ranking.sessions",
        "components.contracts.ranking_examples",
    } <= reached


def test_another_version_or_name_or_setting_is_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    lists, revisions = {feature_list()}, {feature_revision(PLAIN), feature_revision(replace(PLAIN, browsing=("view",)))}
    monkeypatch.setattr(features, "FEATURE_LIST_VERSION", 2)
    monkeypatch.setattr(schemas, "VIEWS_VERSION", 2)
    lists.add(feature_list())
    revisions.add(feature_revision(PLAIN))
    monkeypatch.setattr(features, "FEATURE_NAMES", features.FEATURE_NAMES[1:])
    lists.add(feature_list())
    monkeypatch.setattr(features, "SOURCES", features.SOURCES[1:])
    lists.add(feature_list())
    assert (len(lists), len(revisions)) == (4, 3)
