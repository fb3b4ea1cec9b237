"""Which programs of ``KUBEBUILDER_ASSETS`` are used."""

from pathlib import Path

import pytest

from tests.kubernetes.programs import ETCD_VERSION, PACKAGES, VERSION, missing

ANSWERS = {
    "etcd": f"etcd Version: {ETCD_VERSION}",
    "kube-apiserver": f"Kubernetes v{VERSION}",
    "kube-controller-manager": f"Kubernetes v{VERSION}",
    "kubectl": f"Client Version: v{VERSION}\nKustomize Version: v5.7.1",
}


@pytest.fixture
def assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of programs of a machine that has built none."""
    folder = tmp_path / "assets"
    folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder))
    return folder


def test_programs_of_the_modules_versions_are_used(assets: Path) -> None:
    for name, answer in ANSWERS.items():
        _write_program(assets / name, answer)
    assert missing() == []


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("etcd", "etcd Version: 3.5.21"),
        ("kube-apiserver", "Kubernetes v1.9.0"),
        ("kubectl", "Client Version: v1.99.0"),
        ("kubectl", "error: unknown command"),
    ],
)
def test_a_program_of_another_version_is_built(assets: Path, name: str, answer: str) -> None:
    for known, its_answer in (ANSWERS | {name: answer}).items():
        _write_program(assets / known, its_answer)
    assert missing() == [name]


def test_what_the_folder_lacks_is_built(assets: Path) -> None:
    assert missing() == list(PACKAGES)


def _write_program(file: Path, answer: str) -> None:
    file.write_text(f"#!/bin/sh\necho '{answer}'\n")
    file.chmod(0o755)
