"""``rankloop serve``: the real server, asked over a real connection."""

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from components.home.layout import Home
from components.home.shop_note import ShopNote, write_shop_note
from pipelines.serving import SERVICE, address_of, serve
from tests.pipelines.homes.served_home import PATIENCE_SECONDS, served, serving
from tests.pipelines.homes.tiny_shop import LivingHome, command, the_one_line
from tests.servers import free_port
from tests.waiting import until

pytestmark = pytest.mark.slow(seconds=60)

README = Path(__file__).parents[3] / "README.md"
README_ADDRESS = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def living(baseline_home: LivingHome) -> LivingHome:
    return baseline_home


def ask(address: str, path: str, **body: Any) -> Any:
    request = urllib.request.Request(address + path, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def status(address: str) -> int:
    return answered(address)[0]


def answered(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address) as answer:
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "http://127.0.0.1:8080"), ("::1", "http://[::1]:8080")])
def test_an_address_can_be_typed_into_a_browser(host: str, address: str) -> None:
    assert address_of(host, 8080) == address


@pytest.fixture
def bare(tmp_path: Path) -> Home:
    """A home in which nothing can be ranked with."""
    place = Home(tmp_path / "home")
    write_shop_note(place, ShopNote("tiny", "tiny.toml"))
    return place


WRONG = [
    ("RANKLOOP_WAITING_MS", "abc", "RANKLOOP_WAITING_MS: found 'abc', expected a positive number"),
    ("RANKLOOP_REQUESTS_AT_ONCE", "-1", "RANKLOOP_REQUESTS_AT_ONCE: found '-1', expected a positive number"),
    ("RANKLOOP_STORE_DEADLINE_MS", "soon", "RANKLOOP_STORE_DEADLINE_MS: found 'soon', expected a positive number"),
    ("RANKLOOP_DRAIN_SECONDS", "601", "RANKLOOP_DRAIN_SECONDS: found '601', expected seconds from 0 to 600"),
    ("RANKLOOP_TRACES", "~nobody-here/x", "RANKLOOP_TRACES: found '~nobody-here/x', which cannot be written"),
    ("RANKLOOP_TRACES", "/", "RANKLOOP_TRACES: found '/', which cannot be written"),
]


def asked_to_serve(home: Home, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    line = command("serve", "--home", home.root, *words)
    return subprocess.run(
        line, env=os.environ | variables, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_a_wrong_variable_is_told_before_anything_is_served(bare: Home, name: str, value: str, message: str) -> None:
    ended = asked_to_serve(bare, **{name: value})
    assert message in the_one_line(ended, code=2)
    assert ended.stdout == ""


def ended_worker(home: Home, number: int = 1, **variables: str) -> str:
    """Start a process of the service as BentoML does, and return the one line with which it ends."""
    worker = [sys.executable, "-m", "_bentoml_impl.worker.service", SERVICE]
    environment = os.environ | {"RANKLOOP_HOME": str(home.root), "BENTOML_DO_NOT_TRACK": "true"} | variables
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = subprocess.run(
            [*worker, "--fd", str(listening.fileno()), "--worker-id", str(number)],
            pass_fds=[listening.fileno()],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
    assert ended.returncode == 2, ended.stdout
    (line,) = ended.stdout.splitlines()
    return line


@pytest.mark.parametrize(
    ("name", "value", "message"), [*WRONG[-2:], ("RANKLOOP_ENVIRONMENT", "../x", "environment '../x': expected ASCII")]
)
def test_a_wrong_variable_ends_the_process_that_bentoml_starts(bare: Home, name: str, value: str, message: str) -> None:
    assert message in ended_worker(bare, **{name: value})


def test_a_second_worker_on_one_port_is_refused(bare: Home) -> None:
    assert "worker 2: found several workers on one port, expected one" in ended_worker(bare, number=2)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("spans.jsonl", "{}/spans.jsonl"), ("~/spans.jsonl", "{}/spans.jsonl"), ("console", "console")],
)
def test_a_file_of_spans_is_the_callers_not_the_servers(
    bare: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, expected: str
) -> None:
    class Begun(Exception):  # noqa: N818 - nothing is wrong
        pass

    def begin(_: str, __: list[str], variables: dict[str, str]) -> None:
        raise Begun(variables["RANKLOOP_TRACES"])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RANKLOOP_TRACES", given)
    monkeypatch.setattr(os, "execve", begin)
    with pytest.raises(Begun, match=rf"^{re.escape(expected.format(tmp_path))}$"):
        serve(bare, "local", "127.0.0.1", free_port())


def test_an_environment_that_no_file_can_be_named_after_is_not_served(bare: Home) -> None:
    assert "environment '../x': expected ASCII letters" in the_one_line(asked_to_serve(bare, "--env", "../x"), code=2)


def test_a_home_whose_note_is_broken_is_not_served(bare: Home) -> None:
    bare.shop_note.write_text("{")
    assert "shop.json: found what is not the note of a shop" in the_one_line(asked_to_serve(bare), code=2)


def test_the_server_answers_what_batch_answers_and_leaves_nothing_running(living: LivingHome) -> None:
    known = living.answer("recommend", "--all-users")[0]["user_id"]
    batch = living.answer("recommend", "--user", known, "--user", "nobody")
    with served(living, "local") as address:
        for user, fallback in ((known, None), ("nobody", "unknown_user")):
            answer = ask(address, "/v1/recommend", user_id=user)
            expected = [{"item_id": row["item_id"], "score": row["score"]} for row in batch if row["user_id"] == user]
            assert answer["items"] == expected
            assert (answer["bundle"], answer["fallback"]) == (living.document["bundle"]["digest"], fallback)

        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(address, "/v1/nothing")
        with refused.value as answered:
            assert (answered.code, answered.headers["content-type"]) == (404, "application/problem+json")
        for page in ("/schema.json", "/docs.json", "/static_content/swagger-ui.css"):  # BentoML's own
            assert status(address + page) == 404
        taken = living.rankloop("serve", "--port", address.rpartition(":")[2])
        assert "cannot be listened on" in the_one_line(taken, code=2)


def test_the_programs_of_the_readme_do_what_it_says(living: LivingHome) -> None:
    text = README.read_text()
    (program,) = (block for language, block in re.findall(r"```(\w+)\n(.*?)```", text, re.S) if language == "python")
    (command,) = re.findall(r"^curl .*?[^\\\n]$", text, re.S | re.M)
    with served(living, "local") as address:
        printed = run([sys.executable, "-c", program.replace(README_ADDRESS, address)])
        assert ast.literal_eval(printed) == {"accepted": 1, "repeated": 0}
        items = json.loads(run(["sh", "-c", command.replace(README_ADDRESS, address)]))["items"]
    assert len(items) == 5
    assert all(item["reasons"] is not None for item in items)


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_online_rows_nothing_is_ranked_until_there_are_some(living: LivingHome) -> None:
    online, aside = living.home.root / "online", living.home.root / "aside"
    online.rename(aside)
    try:
        with serving(living, wait_for="/livez") as server:
            until(lambda: "nothing to rank with yet" in answered(f"{server.address}/readyz")[1])
            answer = ask(server.address, "/v1/recommend", user_id="nobody")
            assert (answer["items"], answer["fallback"]) == ([], "store_unavailable")
            shutil.rmtree(online, ignore_errors=True)
            aside.rename(online)
            until(lambda: status(f"{server.address}/readyz") == 200)
            assert ask(server.address, "/v1/recommend", user_id="nobody")["items"]
    finally:
        if aside.exists():
            shutil.rmtree(online, ignore_errors=True)
            aside.rename(online)


def test_without_a_promoted_bundle_the_best_baseline_answers(living: LivingHome) -> None:
    with serving(living, "staging") as server:
        answer = ask(server.address, "/v1/recommend", user_id="nobody")
        assert "champion: staging: nothing was promoted yet" in server.log.read_text()
    expected = living.document["bundle"]["digest"]  # so few users train nothing: what was published is a baseline
    assert (answer["fallback"], answer["bundle"]) == ("no_bundle", expected)
    assert answer["items"]
