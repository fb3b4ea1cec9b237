"""A home on a file system without hard links ends in one line before any work."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from components.contracts.errors import ConfigurationError
from components.home.disk.file_system import require_hard_links
from components.home.layout import Home
from pipelines.health import examine
from pipelines.runs.local_run import run_pipeline


def refuse(*_: object) -> NoReturn:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))  # as SMB, exFAT and mounted buckets answer


def test_links_are_made_and_removed(tmp_path: Path) -> None:
    require_hard_links(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_home_without_links_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refuse)
    home = Home(tmp_path / "home")
    with pytest.raises(ConfigurationError, match=r"has no hard links \(Operation not permitted\); name another --home"):
        run_pipeline(home, "shop", "r1", "none:none", {}, lambda _: None)
    assert [path.name for path in home.root.iterdir()] == [home.lock.name]
    (finding,) = [finding for finding in examine(tmp_path / "shop.toml", home.root) if finding.subject == "links"]
    assert not finding.well
    assert "no hard links (Operation not permitted)" in finding.found
