"""`make images`: what is built, pushed and written down, with a `docker` that keeps its registry in a folder."""

import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from components.contracts.images import read_image
from tests.ci.recording_docker import docker_variables, write_docker

ROOT = Path(__file__).parents[2]
REGISTRY = "registry.example.org/shop"
TARGETS = ("steps", "monitoring", "serving")
UNSIGNED = "images: pushed, and not signed: RANKLOOP_SIGNING_KEY names no key\n"
NODES = '\n[nodes]\nselector = {"node-pool" = "batch"}\n'


@dataclass(frozen=True)
class Checkout:
    """A repository with sources of images."""

    folder: Path

    @property
    def file(self) -> Path:
        """Return the file of images."""
        return self.folder / "components/images.toml"

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("-c", "user.name=Tests", "-c", "user.email=tests@localhost", "commit", "--quiet", "-m", "x")

    def build(self, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run what `make images` runs."""
        environment = os.environ | docker_variables(self.folder.parent)
        for name in ("REGISTRY", "REGISTRY_PASSWORD", "RANKLOOP_IMAGES", "RANKLOOP_SIGNING_KEY", "BUILD_OPTIONS"):
            environment.pop(name, None)
        return subprocess.run(
            [self.folder / ".ci/images"], env=environment | variables, capture_output=True, text=True, check=False
        )

    def calls(self) -> list[str]:
        """Return what was asked of docker since the last time."""
        file = self.folder.parent / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    def git(self, *words: str) -> None:
        """Run Git."""
        subprocess.run(["git", *words], cwd=self.folder, check=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path / "checkout")
    for name in (".ci", "components", "feature_repo", "pipelines"):
        (made.folder / name).mkdir(parents=True)
    for name in (".dockerignore", "LICENSE", "README.md", "pyproject.toml", "uv.lock", "feature_repo/a", "pipelines/a"):
        (made.folder / name).write_text(name)
    shutil.copy(ROOT / ".ci/images", made.folder / ".ci/images")
    (made.folder / "components/Dockerfile").write_text("# a recipe\nARG BASE=python:3.11-slim\nFROM ${BASE}\n")
    made.file.write_text((ROOT / "components/images.toml").read_text() + NODES)
    write_docker(tmp_path)
    made.git("init", "--quiet")
    made.commit()
    return made


def test_without_a_registry_images_are_built_alone(checkout: Checkout) -> None:
    before = checkout.file.read_text()
    assert checkout.build().returncode == 0
    built = checkout.calls()
    assert [line.split("--target ")[1].split()[0] for line in built] == list(TARGETS)
    assert checkout.file.read_text() == before


def test_digests_of_pushed_images_are_written_and_the_rest_of_the_file_stays(checkout: Checkout) -> None:
    before = checkout.file.read_text()
    made = checkout.build(REGISTRY=REGISTRY, REGISTRY_USER="robot", REGISTRY_PASSWORD="secret")
    assert (made.returncode, made.stderr) == (0, UNSIGNED)
    login, *calls = checkout.calls()
    assert login == "login robot secret registry.example.org"
    for target, (build, push) in zip(TARGETS, zip(calls[::2], calls[1::2], strict=True), strict=True):
        pushed = push.removeprefix("push ")
        assert f"--target {target} --tag {pushed} ." in build
        digest = sha256(f"{pushed}\n".encode()).hexdigest()
        assert read_image(checkout.file, target) == f"{REGISTRY}/python-{target}@sha256:{digest}"
    names = tuple(f"{target} = " for target in TARGETS)
    kept = [line for line in before.splitlines() if not line.startswith(names)]
    assert [line for line in checkout.file.read_text().splitlines() if not line.startswith(names)] == kept
    assert tomllib.loads(checkout.file.read_text())["nodes"]["selector"] == {"node-pool": "batch"}


def test_the_same_sources_are_built_once(checkout: Checkout) -> None:
    checkout.build(REGISTRY=REGISTRY)
    first = checkout.file.read_text()
    checkout.calls()
    checkout.commit()  # of the digests, which are no source
    assert checkout.build(REGISTRY=REGISTRY).returncode == 0
    assert (checkout.calls(), checkout.file.read_text()) == ([], first)
    (checkout.folder / "pipelines/a").write_text("another")
    checkout.commit()
    assert checkout.build(REGISTRY=REGISTRY).returncode == 0
    assert len(checkout.calls()) == 6
    assert checkout.file.read_text() != first


def test_the_base_is_named_by_its_digest(checkout: Checkout) -> None:
    (checkout.folder.parent / "pushed/python:3.11-slim").touch()
    checkout.build(REGISTRY=REGISTRY)
    digest = sha256(b"python:3.11-slim\n").hexdigest()
    assert f"--build-arg BASE=python:3.11-slim@sha256:{digest} " in checkout.calls()[0]
    (checkout.folder / "pipelines/a").write_text("another")
    checkout.commit()
    checkout.build(REGISTRY=REGISTRY, BUILD_OPTIONS="--build-arg BASE=other")
    assert "--build-arg BASE=python:3.11-slim --build-arg BASE=other" in checkout.calls()[0], "the last one counts"


def test_what_is_pushed_is_signed_where_there_is_a_key(checkout: Checkout, tmp_path: Path) -> None:
    program, key = checkout.folder / ".venv/bin/rankloop", tmp_path / "signing.pem"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$* $RANKLOOP_IMAGES $RANKLOOP_SIGNING_KEY" >> "$CALLS"\n')
    program.chmod(0o755)
    key.write_text("")
    made = checkout.build(REGISTRY=REGISTRY, RANKLOOP_SIGNING_KEY=str(key))
    assert made.stderr == UNSIGNED, "a secret that is not set is an empty file"
    key.write_text("a key")
    checkout.calls()
    assert checkout.build(REGISTRY=REGISTRY, RANKLOOP_SIGNING_KEY=str(key)).returncode == 0
    assert checkout.calls() == [f"sign-images components/images.toml {key}"]
    checkout.build(RANKLOOP_SIGNING_KEY=str(key))
    assert not any(call.startswith("sign-images") for call in checkout.calls())


@pytest.mark.parametrize("registry", ["registry.example.org", "registry.example.org:5000", "localhost:5000"])
def test_a_host_alone_is_refused_and_gets_no_password(checkout: Checkout, registry: str) -> None:
    made = checkout.build(REGISTRY=registry, REGISTRY_USER="robot", REGISTRY_PASSWORD="secret")
    assert (made.returncode, made.stderr) == (1, f"images: found REGISTRY={registry}, expected HOST/PREFIX\n")
    assert checkout.calls() == []


def test_a_key_that_is_not_there_ends_it_before_anything_is_pushed(checkout: Checkout) -> None:
    made = checkout.build(REGISTRY=REGISTRY, RANKLOOP_SIGNING_KEY="/no/such/key.pem")
    assert (made.returncode, made.stderr) == (1, "images: RANKLOOP_SIGNING_KEY: found no file /no/such/key.pem\n")
    assert checkout.calls() == []


@pytest.mark.parametrize("registry", ["docker.io/shop", "shop"])
def test_a_name_at_docker_hub_is_the_one_that_docker_means(checkout: Checkout, registry: str) -> None:
    """Docker itself leaves its own registry out of what it says."""
    made = checkout.build(REGISTRY=registry, REGISTRY_USER="robot", REGISTRY_PASSWORD="secret")
    assert (made.returncode, "refused" in made.stderr) == (0, False), made.stderr
    assert checkout.calls()[0] == "login robot secret docker.io"
    assert read_image(checkout.file, "steps").startswith("docker.io/shop/python-steps@sha256:")


def test_a_file_of_ones_own_is_made(checkout: Checkout) -> None:
    own = checkout.folder.parent / "images.toml"
    assert checkout.build(REGISTRY=REGISTRY, RANKLOOP_IMAGES=str(own)).returncode == 0
    assert [read_image(own, target).partition("@")[0] for target in TARGETS] == [
        f"{REGISTRY}/python-{target}" for target in TARGETS
    ]


def test_sources_that_are_in_no_commit_are_not_pushed(checkout: Checkout) -> None:
    (checkout.folder / "pipelines/new").write_text("new")
    refused = checkout.build(REGISTRY=REGISTRY)
    assert refused.returncode == 1
    assert refused.stderr.startswith("images: found changes that are in no commit; commit them, or build without")
    assert "pipelines/new" in refused.stderr
    assert checkout.calls() == []


def test_a_file_without_a_line_for_an_image_is_refused(checkout: Checkout) -> None:
    own = checkout.folder.parent / "images.toml"
    own.write_text('[images]\nsteps = ""\nserving = ""\n')
    refused = checkout.build(REGISTRY=REGISTRY, RANKLOOP_IMAGES=str(own))
    assert refused.returncode == 1
    assert f"images: {own}: found no line 'monitoring = …'; add it below [images]" in refused.stderr
