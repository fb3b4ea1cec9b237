"""A policy scan of every overlay and component; an exception is an annotation of its resource, with the reason.

::

    python -m tests.manifests.scan
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from tests.manifests.overlays import COMPONENTS, OVERLAYS, component, moved, overlay

UV = Path(sys.executable).with_name("uv")
SCANNER = (UV, "tool", "run", "--quiet", "--from", "checkov>=3.2,<4", "checkov")  # fits no lock of ours
OPTIONS = ("--framework", "kubernetes", "--compact", "--quiet", "--skip-download")


def main() -> int:
    """Scan what the manifests come to; return what the scanner returns."""
    with tempfile.TemporaryDirectory() as folder:
        for name in OVERLAYS:
            Path(folder, f"{name}.yaml").write_text(overlay(name))
        for name in COMPONENTS:
            resources = moved(component(name), "rankloop")  # a component has no namespace of its own
            Path(folder, f"component-{name}.yaml").write_text(yaml.safe_dump_all(resources))
        return subprocess.run([*SCANNER, "--directory", folder, *OPTIONS], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
