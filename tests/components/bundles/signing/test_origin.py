"""What is said of the code that makes a bundle, by the checkout that it lies in."""

import os
import subprocess
from pathlib import Path

import pytest

from components.bundles.signing import origin
from components.bundles.signing.origin import origin_of_code

IDENTITY = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a checkout of one committed file, whose code it is that runs."""
    (tmp_path / "code.py").write_text("one\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    for words in (["init", "--quiet"], ["add", "code.py"], [*IDENTITY, "commit", "--quiet", "--message", "One"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], env=environment, check=True)
    monkeypatch.setattr(origin, "ROOT", tmp_path)
    return tmp_path


def test_a_checkout_is_modified_where_its_files_are_not_those_of_the_commit(checkout: Path) -> None:
    committed = origin_of_code({})
    assert committed.commit is not None
    assert not committed.is_modified
    (checkout / "code.py").write_text("two\n")
    assert origin_of_code({}) == origin.Origin(committed.commit, is_modified=True, lock=committed.lock)


def test_a_checkout_whose_state_is_not_known_counts_as_modified(checkout: Path) -> None:
    (checkout / ".git" / "index").write_bytes(b"no index")
    unknown = origin_of_code({})
    assert unknown.commit is not None
    assert unknown.is_modified
