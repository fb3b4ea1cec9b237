import json
import re
from pathlib import Path
from typing import Any

import pytest

from components.bundles.manifest import SIDECAR
from components.bundles.sidecar import Sidecar, read_sidecar, write_sidecar
from components.contracts.errors import BundleError


def sidecar(verdict: Any) -> Sidecar:
    return Sidecar("sha256:1", "run-1", "2024-06-03T00:00:00+00:00", "2024-05-20T00:00:00+00:00", verdict=verdict)


@pytest.mark.parametrize("verdict", [None, {}, {"promote": True, "checks": [], "contenders": [{"name": "no_op"}]}])
def test_a_sidecar_is_read_as_it_was_written(tmp_path: Path, verdict: Any) -> None:
    write_sidecar(tmp_path, sidecar(verdict))
    assert read_sidecar(tmp_path) == sidecar(verdict)


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        ([1], "verdict: found [1], expected an object"),
        ("promote", "verdict: found 'promote', expected an object"),
        (False, "verdict: found False, expected an object"),
        ({"checks": 5}, "verdict.checks: found 5, expected a valid array"),
        ({"checks": ["superiority"]}, "verdict.checks.0: found 'superiority', expected an object"),
        ({"contenders": {}}, "verdict.contenders: found {}, expected a valid array"),
    ],
)
def test_what_is_no_verdict_is_named(tmp_path: Path, verdict: Any, message: str) -> None:
    write_sidecar(tmp_path, sidecar(verdict))
    with pytest.raises(
        BundleError, match=rf"sidecar\.json: .*{re.escape(message)}.*`rankloop run` puts the bundle back"
    ):
        read_sidecar(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"digest": "sha256:1"}), "[" * 100_000])
def test_what_is_no_sidecar_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / SIDECAR).write_text(content)
    with pytest.raises(BundleError, match=r"sidecar\.json: missing or unreadable"):
        read_sidecar(tmp_path)
