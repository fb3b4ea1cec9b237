"""A module of another content than ours is not used."""

from dataclasses import replace

import pytest

from tests.kubernetes.modules import ROLLOUTS, definitions


def test_a_module_must_have_the_content_that_is_named() -> None:
    with pytest.raises(RuntimeError, match=f"argo-rollouts {ROLLOUTS.version}: found content {ROLLOUTS.digest[:9]}"):
        definitions(replace(ROLLOUTS, digest="h1:another"))


def test_a_version_that_nobody_has_is_named() -> None:
    with pytest.raises(RuntimeError, match=r"argo-rollouts v0\.0\.1-nobody cannot be downloaded: "):
        definitions(replace(ROLLOUTS, version="v0.0.1-nobody"))
