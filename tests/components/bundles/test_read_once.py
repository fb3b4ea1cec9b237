"""What was verified is what is loaded: a bundle's files are read once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.bundles.loading import load_ranker
from components.bundles.manifest import SIDECAR
from components.bundles.signing.keys import SigningKey
from components.bundles.signing.trust import Trust
from components.contracts.errors import UnverifiedBundleError
from tests.components.bundles.signing.signed_bundles import key_in, signed_bundle


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return key_in(tmp_path / "keys")


def test_a_model_that_is_replaced_after_verification_is_not_loaded(tmp_path: Path, key: SigningKey) -> None:
    bundle = signed_bundle(tmp_path / "models", tmp_path / "scratch", key)
    rows = np.zeros((3, len(bundle.manifest.feature_names)), np.float32)
    rules = np.zeros((3, len(bundle.manifest.baseline_names)), np.float32)
    expected = load_ranker(bundle).score(rows, rules)
    Trust((key.public,), True, "production").check(bundle)
    for name in bundle.content:
        (bundle.folder / name).write_bytes(b"another")
    assert np.array_equal(load_ranker(bundle).score(rows, rules), expected)
    assert bundle.sketches != b"another"


def test_a_folder_that_was_good_when_it_was_verified_does_not_vouch_for_what_was_read(
    tmp_path: Path, key: SigningKey
) -> None:
    bundle = signed_bundle(tmp_path / "models", tmp_path / "scratch", key)
    trust = Trust((key.public,), True, "production")
    changed = bundle.content | {"rank.ubj": b"another"}
    others = (
        replace(bundle, content=changed),
        replace(bundle, sidecar_content=(bundle.folder / SIDECAR).read_bytes() + b" "),
    )
    for other in others:
        with pytest.raises(UnverifiedBundleError, match=r"other content of rank\.ubj|another sidecar"):
            trust.check(other)
