"""What makes a run new: every file of the packages, and nothing beside them."""

from pathlib import Path

import pytest

from pipelines.runs import fingerprints


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small tree in place of the project's own packages."""
    monkeypatch.setattr(fingerprints, "ROOT", tmp_path)
    package = tmp_path / "components"
    package.mkdir()
    (package / "step.py").write_text("answer = 42")
    return package


@pytest.mark.parametrize("name", ["step.py", "templates/report.js", "store.yaml", "images.toml", "LICENSE", ".ignore"])
def test_a_file_of_any_kind_makes_a_run_new(package: Path, name: str) -> None:
    before = fingerprints.code_digest()
    file = package / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("answer = 43")
    assert fingerprints.code_digest() != before


def test_comments_docstrings_and_formatting_do_not(package: Path) -> None:
    before, files = fingerprints.code_digest(), fingerprints.files_digest()
    (package / "step.py").write_text('"""Answer."""\n\nanswer   =  (42)  # of everything\n')
    assert (fingerprints.code_digest(), fingerprints.files_digest() == files) == (before, False)


def test_a_module_that_is_not_python_is_digested_as_it_is(package: Path) -> None:
    (package / "step.py").write_text("answer = ")
    assert fingerprints.code_digest()


@pytest.mark.parametrize("name", ["components/__pycache__/step.cpython-311.pyc", "pipelines/shops/other.toml"])
def test_bytecode_and_other_shops_do_not(package: Path, name: str) -> None:
    before = fingerprints.code_digest()
    file = package.parent / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"anything")
    assert fingerprints.code_digest() == before
