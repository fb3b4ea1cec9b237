"""Look into an image: in a container that reaches nothing, as a user who may do nothing."""

import json
from typing import Any

from tests.container.docker_engine import Docker

USER = 12345
ANYONE = ("--user", f"{USER}:0", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
SCRATCH = ("--tmpfs", "/tmp:size=64m")
SBOM = "/opt/rankloop/sbom.cdx.json"
BYTECODE = """
import importlib.util, pathlib
for module in {modules}:
    source = importlib.util.find_spec(module).origin
    flags = pathlib.Path(importlib.util.cache_from_source(source)).read_bytes()[4]
    assert flags == 1, (module, flags)  # PEP 552: by hash, never checked
"""
PACKAGES = """
import importlib.metadata, json
found = {(each.metadata["Name"].lower(), each.version) for each in importlib.metadata.distributions()}
print(json.dumps(sorted(each for each in found if each[0] not in ("rankloop", "pip"))))
"""
TIMES = """
import pathlib
print(*sorted({path.lstat().st_mtime for path in [pathlib.Path("/opt"), *pathlib.Path("/opt").rglob("*")]}))
"""


def python(docker: Docker, image: str, code: str) -> str:
    """Run code and return what it printed."""
    return docker("run", "--rm", "--network", "none", *ANYONE, *SCRATCH, "--entrypoint", "python", image, "-c", code)


def import_modules(docker: Docker, image: str, *modules: str) -> str:
    """Import modules, and return what that printed."""
    return python(docker, image, f"import {', '.join(modules)}")


def check_bytecode(docker: Docker, image: str, *modules: str) -> None:
    """Make sure that modules have bytecode that is used without a look at their source."""
    assert python(docker, image, BYTECODE.format(modules=modules)) == ""


def check_sbom(docker: Docker, image: str) -> None:
    """Make sure that an image lists the packages in it, and nothing that differs from build to build."""
    document: dict[str, Any] = json.loads(docker("run", "--rm", "--entrypoint", "cat", image, SBOM))
    assert document["bomFormat"] == "CycloneDX"
    assert "timestamp" not in document["metadata"]
    listed = sorted([part["name"].lower(), part["version"]] for part in document["components"])
    assert listed == json.loads(python(docker, image, PACKAGES))


def times_of_files(docker: Docker, image: str) -> str:
    """Return the times of all files of the environment, in seconds since 1970."""
    return python(docker, image, TIMES)
