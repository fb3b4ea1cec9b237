"""The forges' APIs: pages, limits, refusals, and requests that the published documents allow."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.bundles.loading import Bundle
from components.contracts.errors import PromotionError
from components.gitops import settings as names
from components.gitops.forges.api import ForgeApi, ForgeError
from components.gitops.forges.forge import GATE, Status, open_request
from components.gitops.forges.forge import Forge as Client
from components.home.layout import Home
from tests.components.gitops.bench import Bench, bench
from tests.forges.forge import Answer, Forge
from tests.forges.served import FORGES
from tests.servers import free_port

pytestmark = pytest.mark.slow(seconds=8)

LISTS = "GET .*(pulls|merge_requests)"
OPENS = "POST .*(pulls|merge_requests)"


@pytest.fixture(params=FORGES, ids=lambda kind: kind.name)
def made(request: pytest.FixtureRequest, tmp_path: Path, home: Home) -> Iterator[Bench]:
    with bench(tmp_path, request.param, home) as each:
        yield each


def forge_of(made: Bench) -> tuple[Forge, Client]:
    client = made.environments.forge
    assert made.forge is not None
    assert client is not None
    return made.forge, client


def test_what_lies_on_later_pages_is_read(made: Bench) -> None:
    forge, client = forge_of(made)
    made.repository.git("branch", "rankloop/staging/1", "main")
    for number in range(120):
        forge.opened(f"work-{number}", "Somebody's work", "")
    forge.requests[3].branch = "rankloop/staging/1"
    newest = client.newest("rankloop/staging/1")
    assert newest is not None
    assert newest.number == 4
    assert len(client.open_requests()) == 120
    assert client.newest("rankloop/staging/2") is None


def test_opening_again_returns_the_open_one_and_a_later_one_is_another(made: Bench) -> None:
    forge, client = forge_of(made)
    made.repository.commit({"README.md": "Another.\n"}, "Words", branch="rankloop/staging/1")
    first = open_request(client, "rankloop/staging/1", "A title", "A text")
    assert open_request(client, "rankloop/staging/1", "A title", "A text") == first
    client.edit(first.number, "Another title", "Another text")
    assert (forge.requests[0].title, forge.requests[0].text) == ("Another title", "Another text")
    client.close(first, "Closed", "Because")
    assert (forge.requests[0].state, forge.requests[0].comments) == ("closed", ["Because"])
    second = open_request(client, "rankloop/staging/1", "A title", "A text")
    newest = client.newest("rankloop/staging/1")
    assert newest is not None
    assert (newest.number, newest.state) == (second.number, "open")
    assert client.open_requests() == [second]


def test_a_status_may_be_set_again_and_fits(made: Bench) -> None:
    forge, client = forge_of(made)
    for _ in range(2):
        client.set_status(made.repository.head("main"), Status(GATE, "success", "a sentence " * 20))
    assert {state for _, _, state in forge.statuses} == {"success"}


def test_a_branch_that_is_gone_cannot_be_proposed(made: Bench) -> None:
    with pytest.raises(ForgeError):
        forge_of(made)[1].open("rankloop/staging/1", "A title", "A text")


def test_a_forge_that_asks_for_patience_gets_it(made: Bench) -> None:
    forge, patient = forge_of(made)
    slept: list[float] = []
    patient.api.sleep = slept.append  # type: ignore[attr-defined]
    forge.faults += [(LISTS, Answer(429, {}, {"Retry-After": "7"})), (LISTS, Answer(403, {}, {"Retry-After": "60"}))]
    assert patient.newest("rankloop/staging/1") is None
    assert slept == [7.0, 60.0]
    forge.faults.append((LISTS, Answer(403, {}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999"})))
    with pytest.raises(ForgeError, match=r"takes no more requests of this account for \d+ seconds; try again then"):
        patient.newest("rankloop/staging/1")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(401, {"message": "Bad credentials"}), r"was refused \(Bad credentials\); make another, with"),
        (Answer(403, {"message": "Not accessible"}), r"403 \(Not accessible\): .* may not do this; give it"),
        (Answer(404, {"message": "Not Found"}), r"404 \(Not Found\): there is no such repository"),
        (Answer(422, {"message": "Validation Failed", "errors": [{"message": "too long"}]}), "Failed; too long"),
        (Answer(301, None, {"Location": "/elsewhere"}), "the repository has moved"),
        (Answer(503, b"<html>"), r"does not work now \(503\); try again"),
        (Answer(200, b"<html>login</html>"), "its answer is not JSON; correct RANKLOOP_GIT_API_URL"),
        (Answer(200, {"a": "page"}), "its answer is not a list; correct RANKLOOP_GIT_API_URL"),
    ],
)
def test_refusals_name_their_fix(github: Bench, answer: Answer, message: str) -> None:
    forge, client = forge_of(github)
    forge.faults.append((LISTS, answer))
    with pytest.raises(ForgeError, match=message) as caught:
        client.open_requests()
    assert forge.token not in str(caught.value)


def test_a_forge_that_cannot_be_reached_leaves_nothing_behind(github: Bench, bundles: list[Bundle]) -> None:
    github.variables[names.API_URL] = f"http://127.0.0.1:{free_port()}/api/v3"
    with pytest.raises(PromotionError, match=r"127\.0\.0\.1:\d+/api/v3: cannot be reached \(NewConnectionError\)"):
        github.propose(bundles[0])
    assert github.repository.branches() == ["main"]


def test_two_processes_at_once_open_one_pull_request(made: Bench, bundles: list[Bundle]) -> None:
    forge, _ = forge_of(made)
    environments = made.environments
    client = environments.forge
    assert client is not None
    newest, asked = type(client).newest, []

    def outrun(self: Client, branch: str) -> object:
        """Let another process open it between the look and the opening."""
        request = newest(self, branch)  # type: ignore[arg-type]
        asked.append(branch)
        if len(asked) == 1:
            made.propose(bundles[0])
        return request

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(client), "newest", outrun)
        made.propose(bundles[0])
    assert [request.state for request in forge.requests] == ["open"]


def test_the_fake_refuses_what_the_documents_do_not_allow(github: Bench) -> None:
    forge, client = forge_of(github)
    api = client.api  # type: ignore[attr-defined]
    assert isinstance(api, ForgeApi)
    with pytest.raises(ForgeError, match="422"):
        api.send("POST", "/repos/shop/deploy/pulls", {"title": "No head"})
    with pytest.raises(ForgeError, match="422"):
        api.get("/repos/shop/deploy/pulls", state="opened")
    assert [mistake.partition(":")[0] for mistake in forge.mistakes] == ["pulls_create"] * 2 + ["pulls_list"]
    forge.mistakes.clear()
