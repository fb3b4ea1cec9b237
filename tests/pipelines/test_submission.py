"""Submission over HTTP: the real kfp client against a small fake of KFP's API server."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipelines.fingerprints import code_digest


class FakeKfp(ThreadingHTTPServer):
    """Answers what a submission asks, and keeps the run that was posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.posted: list[dict[str, Any]] = []
        self.final_state = "SUCCEEDED"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    server: FakeKfp

    def do_GET(self) -> None:
        if "/experiments" in self.path:
            self._answer({"experiments": [{"experiment_id": "e1", "display_name": "rankloop"}]})
        elif "/runs/" in self.path:
            self._answer({"run_id": "r1", "experiment_id": "e1", "state": self.server.final_state})
        else:
            self._answer({"multi_user": False})

    def do_POST(self) -> None:
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer({"run_id": "r1", "experiment_id": "e1", "state": "PENDING"})

    def _answer(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def kfp_host() -> Iterator[FakeKfp]:
    server = FakeKfp()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def submit(*words: str) -> "subprocess.CompletedProcess[str]":
    executable = Path(sys.executable).with_name("rankloop")
    parameters = ("--param", "shop=/etc/rankloop/shop.toml", "--param", "home=/var/rankloop")
    return subprocess.run(
        [executable, "submit", "training", *parameters, *words], capture_output=True, text=True, check=False
    )


def test_a_run_is_submitted_with_its_pipeline_and_parameters(kfp_host: FakeKfp) -> None:
    ended = submit("--host", kfp_host.url, "--json")
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    assert outcome["kfp_run"] == "r1"
    assert outcome["url"] == f"{kfp_host.url}/#/runs/details/r1"
    (run,) = kfp_host.posted
    assert run["pipeline_spec"]["pipelineInfo"]["name"] == "training"
    assert run["runtime_config"]["parameters"] == {
        "code_revision": code_digest(),
        "shop": "/etc/rankloop/shop.toml",
        "home": "/var/rankloop",
        "run_id": outcome["run_id"],
    }


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 1)])
def test_waiting_ends_as_the_run_ends(kfp_host: FakeKfp, state: str, code: int) -> None:
    kfp_host.final_state = state
    ended = submit("--host", kfp_host.url, "--wait")
    assert ended.returncode == code, ended.stderr
    assert state in ended.stdout


def test_an_unreachable_host_is_one_line() -> None:
    ended = submit("--host", "http://127.0.0.1:9")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("rankloop: KFP at http://127.0.0.1:9: cannot be reached")
    assert "Traceback" not in ended.stderr
