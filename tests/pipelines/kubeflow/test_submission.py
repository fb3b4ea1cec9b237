"""Submission over HTTP: the real kfp client against a fake of KFP's API server."""

import json
import ssl
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from kfp.client import Client
from kfp_server_api.exceptions import ApiException

from components.contracts.errors import ConfigurationError
from pipelines.cli import main
from pipelines.kubeflow.access import Access
from pipelines.kubeflow.client import PASS_ONE, SubmissionError, final_state, open_client, translated_errors
from pipelines.kubeflow.patience import AWAY_FOR_READERS, Patience
from pipelines.kubeflow.submission import Submission, submit, typed_parameters
from tests.pipelines.kubeflow.fake_kfp import FakeKfp, RefusedError

pytestmark = pytest.mark.slow(seconds=20)

PARAMETERS = {"shop": "/etc/rankloop/shop.toml", "home": "/var/rankloop"}


@dataclass(frozen=True)
class Ended:
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Ended]


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `rankloop submit training` in this process."""

    def run(*words: str, **variables: str) -> Ended:
        given = [word for name, value in PARAMETERS.items() for word in ("--param", f"{name}={value}")]
        monkeypatch.setattr(sys, "argv", ["rankloop", "submit", "training", *given, *words])
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return run


def submission(kfp: FakeKfp, wait: bool = False, **given: str) -> Submission:
    return Submission("training", Access(host=kfp.url), PARAMETERS | given, "rankloop", wait)


def test_a_run_is_submitted_with_its_version_and_parameters(run_command: Command, kfp_host: FakeKfp) -> None:
    ended = run_command("--host", kfp_host.url, "--service-account", "trainer", "--json")
    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    assert outcome["kfp_run"] == "r1"
    assert outcome["url"] == f"{kfp_host.url}/#/runs/details/r1"
    (run,) = kfp_host.posted
    version = kfp_host.tables["versions"][run["pipeline_version_reference"]["pipeline_version_id"]]
    assert version["name"] == outcome["version"]
    assert version["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["name"] == "training"
    assert "kubernetes" in version["pipeline_spec"]["platform_spec"]["platforms"]
    assert run["service_account"] == "trainer"
    assert run["runtime_config"]["parameters"] == PARAMETERS | {
        "fingerprint": {"code": "c0de"},
        "run_id": outcome["run_id"],
    }


def test_a_version_is_uploaded_once_under_the_name_of_its_manifest(kfp_host: FakeKfp) -> None:
    first, second = submit(submission(kfp_host)), submit(submission(kfp_host))
    assert first["version"] == second["version"]
    assert kfp_host.uploads == [first["version"]]
    manifest = Path(__file__).parents[3] / "manifests" / "base" / "pipelines" / "training-version.yaml"
    assert f"name: {first['version']}\n" in manifest.read_text()


def test_two_submits_at_once_upload_one_version(kfp_host: FakeKfp) -> None:
    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(submit, [submission(kfp_host)] * 2))
    assert {outcome["version"] for outcome in outcomes} == set(kfp_host.uploads)
    assert len(kfp_host.uploads) == 1
    assert len({outcome["run_id"] for outcome in outcomes}) == 2


def test_a_version_of_that_name_with_other_content_is_refused(kfp_host: FakeKfp) -> None:
    version = submit(submission(kfp_host))["version"]
    (stored,) = kfp_host.tables["versions"].values()
    stored["pipeline_spec"]["pipeline_spec"]["pipelineInfo"]["description"] = "another"
    with pytest.raises(SubmissionError, match=f"holds a pipeline version {version} with other content"):
        submit(submission(kfp_host))
    assert len(kfp_host.posted) == 1


def test_a_version_that_a_webhook_refuses_is_named_with_the_log_that_says_why(kfp_host: FakeKfp) -> None:
    hidden = RefusedError(500, "Failed to create a pipeline version")  # all that KFP 2.17 tells its client
    kfp_host.refusal = lambda method, path: hidden if path.endswith("upload_version") else None
    with pytest.raises(SubmissionError, match=r"could not create the pipeline version training-.* logs deployment"):
        submit(submission(kfp_host))


@pytest.mark.parametrize(("tag", "taken"), [("2.16.1", False), ("2.17.0", True), ("v3.0.0", True), ("unknown", True)])
def test_an_older_kfp_is_refused(kfp_host: FakeKfp, tag: str, taken: bool) -> None:
    kfp_host.tag_name = tag
    if taken:
        assert submit(submission(kfp_host))["state"] == "PENDING"
        return
    with pytest.raises(SubmissionError, match=r"is Kubeflow Pipelines 2\.16\.1, expected 2\.17 or newer"):
        submit(submission(kfp_host))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n": "many"}, "--param n: found 'many', expected an integer"),
        ({"n": "1", "rate": "x"}, "--param rate: found 'x', expected a number"),
        ({"n": "1", "on": "yes"}, "--param on: found 'yes', expected true or false"),
        ({"n": "1", "what": "[1]"}, "--param what: found '[1]', expected a JSON object"),
        ({"n": "1", "other": "1"}, "--param: p has no parameter other; it has n, on, rate, what"),
        ({"rate": "1.5"}, "--param: p also needs n=…"),
    ],
)
def test_a_parameter_of_the_wrong_type_is_refused_before_anything_is_sent(given: dict[str, str], words: str) -> None:
    kinds = {"n": "NUMBER_INTEGER", "rate": "NUMBER_DOUBLE", "on": "BOOLEAN", "what": "STRUCT"}
    declared: dict[str, Any] = {name: {"parameterType": kind, "isOptional": True} for name, kind in kinds.items()}
    declared["n"].pop("isOptional")
    specification = {"root": {"inputDefinitions": {"parameters": declared}}}
    with pytest.raises(ConfigurationError) as refused:
        typed_parameters(
            {"n": "1"} | given if "1.5" not in given.values() else given, specification, "p", {}, "--param"
        )
    assert str(refused.value) == words
    assert typed_parameters({"n": "3", "on": "True"}, specification, "p", {}, "--param") == {"n": 3, "on": True}


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("CANCELED", 1)])
def test_waiting_ends_as_the_run_ends(run_command: Command, kfp_host: FakeKfp, state: str, code: int) -> None:
    kfp_host.final_state = state
    ended = run_command("--host", kfp_host.url, "--wait")
    assert ended.returncode == code, ended.stderr
    assert state in ended.stdout
    assert f": {kfp_host.url}/#/runs/details/r1" in ended.stderr


def test_a_run_that_failed_names_its_step(kfp_host: FakeKfp) -> None:
    kfp_host.final_state = "FAILED"
    tasks = [("train-ranker(0)", "FAILED"), ("train-ranker", "FAILED"), ("train-ranker-driver", "SUCCEEDED")]
    tasks += [("executor(0)", "FAILED"), ("root", "FAILED"), ("build-features", "SUCCEEDED")]
    tasks += [("detect-drift-driver", "FAILED")]  # it could not begin
    kfp_host.task_details = [{"display_name": name, "state": state} for name, state in tasks]
    assert submit(submission(kfp_host, wait=True))["reason"] == "train_ranker; detect_drift"


@pytest.mark.parametrize(
    ("refusal", "words"),
    [(KeyboardInterrupt(), "interrupted; the run goes on at "), (None, "; what becomes of the run is seen at ")],
)
def test_whoever_stops_waiting_is_told_where_the_run_goes_on(
    run_command: Command,
    kfp_host: FakeKfp,
    monkeypatch: pytest.MonkeyPatch,
    refusal: BaseException | None,
    words: str,
) -> None:
    def stop(*_: object, **__: object) -> str:
        raise refusal or SubmissionError("says no more")

    monkeypatch.setattr("pipelines.kubeflow.submission.final_state", stop)
    ended = run_command("--host", kfp_host.url, "--wait")
    assert ended.returncode == (130 if refusal else 1)
    assert f"{words}{kfp_host.url}/#/runs/details/r1" in ended.stderr.splitlines()[-1]
    assert ended.stderr.endswith(
        "; to follow it on: rankloop submit training --follow r1, with the options of before\n"
    )
    assert "takes up the work" not in ended.stderr


@pytest.mark.parametrize("address", [None, "https://kubeflow.example.org/pipeline"])
def test_a_pod_that_names_no_host_links_to_where_people_see_kubeflow(
    run_command: Command, kfp_host: FakeKfp, monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    monkeypatch.setattr("pipelines.kubeflow.submission.open_client", lambda _: open_client(Access(host=kfp_host.url)))
    ended = run_command("--json", **({"RANKLOOP_KFP_URL": address} if address else {}))
    assert json.loads(ended.stdout)["url"] == (address and f"{address}/#/runs/details/r1")


def test_a_connection_that_says_nothing_is_an_answer_that_was_lost(
    kfp_host: FakeKfp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.kubeflow.client.REQUEST_SECONDS", 0.1)
    released = threading.Event()
    with translated_errors(kfp_host.url):
        client = open_client(Access(host=kfp_host.url))

    def say_nothing(method: str, path: str) -> None:
        released.wait()

    kfp_host.refusal = say_nothing
    try:
        with pytest.raises(SubmissionError, match="cannot be reached"), translated_errors(kfp_host.url):
            client.get_run("r1")
    finally:
        released.set()


def test_an_unreachable_host_is_one_line(run_command: Command) -> None:
    ended = run_command("--host", "http://127.0.0.1:9")
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
        (401, b"Jwt is expired", "refused the request: 401 Unauthorized; a token may have expired: pass a token"),
        (403, b"RBAC: access denied", "refused the request: 403 Forbidden; the account may not do this: name your"),
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


def test_a_prefix_belongs_to_the_address_as_copied_from_the_browser(kfp_host: FakeKfp) -> None:
    kfp_host.prefix = "/pipeline"
    access = Access(host=f"{kfp_host.url}/pipeline/#/runs")
    outcome = submit(Submission("training", access, PARAMETERS, "rankloop", False))
    assert outcome["url"] == f"{kfp_host.url}/pipeline/#/runs/details/r1"
    with pytest.raises(SubmissionError, match="404 Not Found; correct --host"):
        submit(submission(kfp_host))


def _own_authority(folder: Path) -> tuple[Path, Path]:
    """Write a key and the certificate that it signs for itself, for 127.0.0.1."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    draft = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    draft = draft.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    draft = draft.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    files = folder / "key.pem", folder / "ca.pem"
    files[0].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    files[1].write_bytes(draft.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return files


def test_a_private_authority_is_asked_for_and_then_trusted(kfp_host: FakeKfp, tmp_path: Path) -> None:
    key, certificate = _own_authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    kfp_host.socket = context.wrap_socket(kfp_host.socket, server_side=True)
    host = kfp_host.url.replace("http://", "https://")
    with pytest.raises(SubmissionError, match="name the authority's file by --ca-file"), translated_errors(host):
        open_client(Access(host=host))
    with translated_errors(host):
        open_client(Access(host=host, ca_file=certificate))


def test_a_login_page_is_no_run(run_command: Command, kfp_host: FakeKfp) -> None:
    kfp_host.page = (302, b"<title>Dex</title>")
    ended = run_command("--host", kfp_host.url)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.splitlines()[-1].startswith(f"rankloop: KFP at {kfp_host.url}: asks for a login; pass a token")
    assert kfp_host.posted == []


def test_tokens_and_cookies_are_shown_to_kubeflow_and_to_nobody_else(
    run_command: Command, kfp_host: FakeKfp, tmp_path: Path
) -> None:
    ended = run_command("--host", kfp_host.url, RANKLOOP_KFP_TOKEN="sesame-token", RANKLOOP_KFP_COOKIE="id=sesame")
    assert ended.returncode == 0, ended.stderr
    assert {(seen["authorization"], seen["cookie"]) for seen in kfp_host.seen} == {("Bearer sesame-token", "id=sesame")}
    assert "sesame" not in ended.stdout + ended.stderr

    (tmp_path / "token").write_text("file78")
    kfp_host.seen.clear()
    with translated_errors(kfp_host.url):
        open_client(Access(host=kfp_host.url, token_file=tmp_path / "token"))
    assert {seen["authorization"] for seen in kfp_host.seen} == {"Bearer file78"}

    broken = run_command("--host", kfp_host.url, RANKLOOP_KFP_TOKEN="open\nsesame")
    assert broken.returncode == 2
    assert "the token for Kubeflow Pipelines holds a line break" in broken.stderr
    assert "sesame" not in broken.stderr


def test_doctor_shows_kubeflow_the_credentials_too(
    kfp_host: FakeKfp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RANKLOOP_KFP_TOKEN", "sesame-token")
    monkeypatch.setattr(sys, "argv", ["rankloop", "doctor", "--cluster", "--host", kfp_host.url])
    with pytest.raises(SystemExit):
        main()
    assert f"Kubeflow Pipelines answers at {kfp_host.url}" in capsys.readouterr().out
    assert {seen["authorization"] for seen in kfp_host.seen} == {"Bearer sesame-token"}


def test_a_pod_of_a_kfp_of_several_users_writes_no_file(
    kfp_host: FakeKfp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "namespace").write_text("team-a")
    monkeypatch.setattr(Client, "_NAMESPACE_PATH", str(tmp_path / "namespace"))
    monkeypatch.setattr(Client, "_LOCAL_KFP_CONTEXT", str(tmp_path / "config" / "context.json"))
    kfp_host.is_multi_user = True
    with translated_errors(kfp_host.url):
        assert open_client(Access(host=kfp_host.url)).get_user_namespace() == "team-a"
    assert not (tmp_path / "config").exists()


def test_a_namespace_of_several_users_is_named_in_every_request(kfp_host: FakeKfp) -> None:
    access = Access(host=kfp_host.url, namespace="team-a")
    submit(Submission("training", access, PARAMETERS, "rankloop", False))
    assert {one.get("namespace") for one in kfp_host.tables["pipelines"].values()} == {"team-a"}
    assert {one.get("namespace") for one in kfp_host.tables["experiments"].values()} == {"team-a"}


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ((503, b""), "503 Service Unavailable"),
        ((500, b""), "500 Internal Server Error"),
        ((200, b"{}"), f"answers, but not with the state of run r1, as a login page does; {PASS_ONE}"),
    ],
)
def test_a_run_that_is_waited_for_outlasts_a_restart_of_the_server(
    kfp_host: FakeKfp, page: tuple[int, bytes], words: str
) -> None:
    run = submit(submission(kfp_host))["kfp_run"]
    with translated_errors(kfp_host.url):
        client = open_client(Access(host=kfp_host.url))
    said: list[str] = []
    kfp_host.page = page

    def back(_: float) -> None:
        kfp_host.page = None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", back)
        patience = Patience(600, said.append, AWAY_FOR_READERS)
        assert final_state(client, run, timedelta(minutes=1), patience) == "SUCCEEDED"
        assert said == [f"Kubeflow Pipelines is away ({words}); asking again for 600 seconds"]
        kfp_host.page = (403, b"")
        with pytest.raises(ApiException):
            final_state(client, run, timedelta(minutes=1), patience)


def test_a_server_that_stays_away_ends_the_waiting_and_says_how_to_go_on(
    run_command: Command, kfp_host: FakeKfp
) -> None:
    kfp_host.refusal = lambda method, path: RefusedError(503, "away") if path.endswith("/runs/r1") else None
    ended = run_command("--host", kfp_host.url, "--wait", "--patience", "0")
    assert ended.returncode == 1
    assert ended.stderr.endswith("to follow it on: rankloop submit training --follow r1, with the options of before\n")
    kfp_host.refusal = lambda method, path: None
    followed = run_command("--host", kfp_host.url, "--follow", "r1", "--json")
    outcome = json.loads(followed.stdout)
    assert (followed.returncode, outcome["state"], outcome["kfp_run"]) == (0, "SUCCEEDED", "r1")
    assert outcome["run_id"] == kfp_host.posted[0]["runtime_config"]["parameters"]["run_id"]
    assert len(kfp_host.posted) == 1


def test_a_server_that_is_gone_is_named_by_what_the_connection_says() -> None:
    said: list[str] = []
    refused = urllib3.exceptions.NewConnectionError(urllib3.connection.HTTPConnection("kubeflow"), "refused")
    patience = Patience(600, said.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda _: None)
        patience.bear(urllib3.exceptions.MaxRetryError(urllib3.HTTPConnectionPool("kubeflow"), "/", refused))
        patience.bear(TimeoutError())  # is still away, which was said
    assert said == ["Kubeflow Pipelines is away (NewConnectionError); asking again for 600 seconds"]


def test_an_empty_name_of_a_run_to_follow_submits_nothing(run_command: Command, kfp_host: FakeKfp) -> None:
    ended = run_command("--host", kfp_host.url, "--follow", "")
    assert ended.returncode == 2
    assert "--follow: found nothing, expected the id of a run of KFP" in ended.stderr
    assert not kfp_host.posted


def test_a_run_that_is_not_there_cannot_be_followed(run_command: Command, kfp_host: FakeKfp) -> None:
    ended = run_command("--host", kfp_host.url, "--follow", "r7")
    assert ended.returncode == 1
    assert "404 Not Found" in ended.stderr.splitlines()[-1]


def test_a_run_that_somebody_deletes_while_it_is_waited_for_is_said(kfp_host: FakeKfp) -> None:
    with translated_errors(kfp_host.url):
        client = open_client(Access(host=kfp_host.url))
    with pytest.raises(SubmissionError, match="has no run r9: it was deleted"):
        final_state(client, "r9", timedelta(minutes=1), Patience(600, print))
