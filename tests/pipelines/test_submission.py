"""Submission over HTTP: the real kfp client against a small fake of KFP's API server."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from kfp_server_api.exceptions import ApiException

from pipelines.kubeflow import Access, SubmissionError, final_state, open_client, translated_errors
from pipelines.runs.fingerprints import code_digest
from tests.pipelines.fake_kfp import FakeKfp, serving

pytestmark = pytest.mark.slow(seconds=20)


@pytest.fixture
def kfp_host() -> Iterator[FakeKfp]:
    with serving(FakeKfp()) as server:
        yield server


def submit(*words: str | Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    executable = Path(sys.executable).with_name("rankloop")
    parameters = ("--param", "shop=/etc/rankloop/shop.toml", "--param", "home=/var/rankloop")
    return subprocess.run(
        [executable, "submit", "training", *parameters, *words],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_is_submitted_with_its_pipeline_and_parameters(kfp_host: FakeKfp) -> None:
    ended = submit("--host", kfp_host.url, "--json")
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    assert outcome["kfp_run"] == "r1"
    assert outcome["url"] == f"{kfp_host.url}/#/runs/details/r1"
    (run,) = kfp_host.posted
    assert run["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["name"] == "training"
    assert "kubernetes" in run["pipeline_spec"]["platform_spec"]["platforms"]
    assert run["runtime_config"]["parameters"] == {
        "fingerprint": {"code": code_digest()},
        "shop": "/etc/rankloop/shop.toml",
        "home": "/var/rankloop",
        "run_id": outcome["run_id"],
    }


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 1), ("CANCELED", 1)])
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


@pytest.mark.parametrize(
    ("status", "page", "words"),
    [
        (302, b"<title>Dex</title>", "asks for a login; pass a token (--token-file"),
        (200, b"<form>Sign in: <input type=password></form>", "asks for a login; pass a token (--token-file"),
        (200, b"<h1>It works!</h1>", "found a page that is not Kubeflow Pipelines' ('<h1>It works!</h1>')"),
        (200, b"", "found a page that is not Kubeflow Pipelines' ('')"),
        (401, b"Jwt is missing", "refused the request: 401 Unauthorized; pass a token"),
        (
            403,
            b"RBAC: access denied",
            "refused the request: 403 Forbidden; the account may not do this: name your",
        ),
        (404, b"no such page", "refused the request: 404 Not Found; correct --host"),
        (502, b"<h1>Bad Gateway</h1>", "refused the request: 502 Bad Gateway"),
    ],
)
def test_an_answer_that_is_not_kubeflows_is_refused(kfp_host: FakeKfp, status: int, page: bytes, words: str) -> None:
    kfp_host.page = (status, page)
    with pytest.raises(SubmissionError) as refused, translated_errors(kfp_host.url):
        open_client(Access(host=kfp_host.url))
    assert f"KFP at {kfp_host.url}" in str(refused.value)
    assert words in str(refused.value)


def test_a_login_page_is_no_run(kfp_host: FakeKfp) -> None:
    kfp_host.page = (302, b"<title>Dex</title>")
    ended = submit("--host", kfp_host.url)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.splitlines()[-1].startswith(f"rankloop: KFP at {kfp_host.url}: asks for a login; pass a token")
    assert kfp_host.posted == []


def test_tokens_and_cookies_are_shown_to_kubeflow_and_to_nobody_else(kfp_host: FakeKfp, tmp_path: Path) -> None:
    ended = submit("--host", kfp_host.url, RANKLOOP_KFP_TOKEN="sesame-token", RANKLOOP_KFP_COOKIE="id=sesame")
    assert ended.returncode == 0, ended.stderr
    assert {(seen["authorization"], seen["cookie"]) for seen in kfp_host.seen} == {("Bearer sesame-token", "id=sesame")}
    assert "sesame" not in ended.stdout + ended.stderr

    (tmp_path / "token").write_text("file78")
    kfp_host.seen.clear()
    assert submit("--host", kfp_host.url, "--token-file", tmp_path / "token").returncode == 0
    assert {seen["authorization"] for seen in kfp_host.seen} == {"Bearer file78"}

    broken = submit("--host", kfp_host.url, RANKLOOP_KFP_TOKEN="open\nsesame")
    assert broken.returncode == 2
    assert "the token for Kubeflow Pipelines holds a line break" in broken.stderr
    assert "sesame" not in broken.stderr


def test_a_run_that_is_waited_for_outlasts_a_restart_of_the_server(kfp_host: FakeKfp) -> None:
    with translated_errors(kfp_host.url):
        client = open_client(Access(host=kfp_host.url))
    kfp_host.page = (503, b"")

    def back(_: float) -> None:
        kfp_host.page = None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", back)
        assert final_state(client, "r1", timedelta(minutes=1)) == "SUCCEEDED"
        kfp_host.page = (403, b"")
        with pytest.raises(ApiException):
            final_state(client, "r1", timedelta(minutes=1))
