from pathlib import Path

import pytest

from components.contracts.errors import ConfigurationError
from components.contracts.images import IMAGES_VARIABLE, image, read_image


@pytest.mark.parametrize("target", ["steps", "monitoring", "serving"])
def test_every_image_has_an_immutable_digest(target: str) -> None:
    assert "@sha256:" in image(target)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[images]\nsteps = "registry/steps:latest"', "expected NAME@sha256:DIGEST"),
        ("[images]\n", "no image is called 'steps'"),
        ("steps", "cannot be read as a file of images"),
        ("", "cannot be read as a file of images"),
        ("images = 1", "cannot be read as a file of images"),
        ("[images]\n[node]\n", "found node, expected the tables images and nodes"),
    ],
)
def test_an_image_without_digest_is_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "images.toml"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        read_image(file, "steps")


def test_another_file_stands_in_the_place_of_the_committed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "images.toml"
    file.write_text(f'[images]\nsteps = "registry.local/steps@sha256:{"1" * 64}"\n')
    monkeypatch.setenv(IMAGES_VARIABLE, str(file))
    assert image("steps") == f"registry.local/steps@sha256:{'1' * 64}"
