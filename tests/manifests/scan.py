"""A policy scan of every overlay and component; an exception is an annotation of its resource, with the reason.

::

    python -m tests.manifests.scan
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from tests.manifests.overlays import ADDING, OVERLAYS, composed, moved, overlay

UV = Path(sys.executable).with_name("uv")
LOCK = Path(__file__).with_name("checkov.txt")  # of its own: it fits none of ours
SCANNER = (UV, "tool", "run", "--quiet", "--constraints", LOCK, "checkov")
OPTIONS = ("--framework", "kubernetes", "--compact", "--quiet", "--skip-download")


def main() -> int:
    """Scan what the manifests come to; return what the scanner returns."""
    with tempfile.TemporaryDirectory() as folder:
        for name in OVERLAYS:
            Path(folder, f"{name}.yaml").write_text(overlay(name))
        # The scanner knows no Rollout: it sees the same pods in the Deployment that the Rollout is made of.
        parts = {"service": composed(["service", "schedules"], ["images"])}
        parts |= {f"component-{name}": composed(components=[name, "images"]) for name in ADDING}
        for name, text in parts.items():
            resources = moved(text, "rankloop")  # a part has no namespace of its own
            Path(folder, f"{name}.yaml").write_text(yaml.safe_dump_all(resources))
        return subprocess.run([*SCANNER, "--directory", folder, *OPTIONS], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
