"""A run where there is no network at all, not even a loopback: no step fetches anything."""

import subprocess
from pathlib import Path

import pytest

from tests.pipelines.homes.tiny_shop import FEW, command, make_tiny_shop

pytestmark = pytest.mark.slow(seconds=25)

NAMESPACES = (["unshare", "--map-root-user", "--net"], ["unshare", "--net"])


def inside(namespace: list[str], *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*namespace, *words], capture_output=True, text=True, check=False)


def test_a_run_needs_no_network(tmp_path: Path) -> None:
    alone = next((namespace for namespace in NAMESPACES if inside(namespace, "true").returncode == 0), None)
    assert alone, f"found no way to be without a network, expected one of {NAMESPACES} to work on this machine"
    routes = inside(alone, "cat", "/proc/self/net/route").stdout.splitlines()[1:]
    run = command("run", "--shop", make_tiny_shop(tmp_path / "shop", FEW), "--home", tmp_path / "home")
    ended = inside(alone, *run)
    assert not routes, "the namespace reaches something"
    assert ended.returncode == 0, ended.stderr
