"""The canary's analysis, asked of a real Prometheus that scrapes canaries and stable pods, one canary bad in each way.

A pod is the service's own metrics page. Its requests come in rounds, and a round begins when Prometheus has seen the
one before; so nothing rests on how fast either is.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest
import yaml

from components.contracts.metrics import SCORE_SHARES
from components.ranking_service.telemetry.measures import CONTENT_TYPE, Measures
from components.ranking_service.telemetry.request_context import RequestContext
from tests.manifests.analysis import RENDERED, Metric, ask, metrics, template
from tests.servers import QuietHTTPServer, answering, prometheus_server
from tests.waiting import until

ROUNDS, ROUND = 3, "tests_round"
COMPARING = ("errors", "latency", "fallbacks", "scores", "empty-lists")
JUDGED = dict.fromkeys(COMPARING, "Successful")
UNJUDGED = dict.fromkeys(COMPARING, "Inconclusive")
ALIKE = 12
SPREAD = (0.0, 0.0, 0.05, 0.1, 0.2, 0.3, 0.15, 0.1, 0.05, 0.05)  # of lists over SCORE_SHARES


@dataclass(frozen=True)
class Traffic:
    """What the requests to a pod come to: shares of them, milliseconds, and how best scores are spread."""

    requests: int = 400  # in a round
    errors: float = 0.005
    refused: float = 0.0  # beyond the callers' rate
    fallbacks: float = 0.3
    empty: float = 0.002
    milliseconds: float = 4.0
    scores: tuple[float, ...] = SPREAD


@dataclass
class Pod:
    """A metrics page that grows by rounds; ``changed`` is what is done to the text of it."""

    traffic: Traffic
    seed: int
    changed: Callable[[bytes], bytes] = bytes
    measures: Measures = field(default_factory=Measures)
    page: bytes = b""

    def take_a_round(self, number: int) -> None:
        """Answer a round of requests."""
        random = np.random.default_rng((self.seed, number))
        for _ in range(self.traffic.requests):
            self.measures.take(self._request(random))
        self.page = self.changed(self.measures.page()) + f"{ROUND} {number}\n".encode()

    def _request(self, random: np.random.Generator) -> RequestContext:
        traffic = self.traffic
        seconds = traffic.milliseconds * random.lognormal(0, 0.4) / 1e3
        context = RequestContext("r", "/v1/recommend", "shop", 1, 1 + int(seconds * 1e9))
        if random.random() < traffic.errors:
            context.status = HTTPStatus.INTERNAL_SERVER_ERROR
            return context
        if random.random() < traffic.refused:
            context.status = HTTPStatus.TOO_MANY_REQUESTS
            return context
        context.status, context.arm = HTTPStatus.OK, "champion"
        context.fallback = "unknown_user" if random.random() < traffic.fallbacks else None
        context.is_empty = bool(random.random() < traffic.empty)
        if not context.is_empty:
            context.best_score = float(random.choice(SCORE_SHARES, p=traffic.scores))
        return context


@dataclass(frozen=True)
class Canary:
    """A canary, the stable pods beside it, and what is expected of the analysis where that is not success."""

    canary: Traffic = Traffic()
    stable: Traffic = Traffic()
    expected: Mapping[str, str] = field(default_factory=dict)
    canary_page: Callable[[bytes], bytes] = bytes
    stable_page: Callable[[bytes], bytes] = bytes
    stable_pods: int = 1


def without(name: str, page: bytes) -> bytes:
    """A page that lacks a metric."""
    return b"".join(line for line in page.splitlines(keepends=True) if name.encode() not in line)


def not_a_number(name: str, page: bytes) -> bytes:
    """A page on which a metric is NaN."""
    lines = page.decode().splitlines()
    return (
        "\n".join(f"{line.rpartition(' ')[0]} NaN" if line.startswith(name) else line for line in lines).encode()
        + b"\n"
    )


NOTHING = Traffic(requests=0)
FEW = {"requests": "Failed"} | UNJUDGED
CASES = {
    "good": Canary(stable_pods=3),
    "errors": Canary(Traffic(errors=0.1), expected={"errors": "Failed"}),
    "refuses-everything": Canary(Traffic(errors=1), expected=FEW | {"errors": "Failed"}),
    "slow": Canary(Traffic(milliseconds=30), expected={"latency": "Failed"}),
    "fallbacks": Canary(Traffic(fallbacks=0.5), expected={"fallbacks": "Failed"}),
    "one-score-for-all": Canary(Traffic(scores=(1, *[0] * 9)), expected={"scores": "Failed"}),
    "empty-lists": Canary(Traffic(empty=0.1), expected={"empty-lists": "Failed"}),
    "everything-bad-on-both": Canary(*[Traffic(errors=0.3, fallbacks=0.9, empty=0.3, milliseconds=300)] * 2),
    "callers-over-their-rate": Canary(Traffic(refused=0.3)),
    "better": Canary(Traffic(errors=0, fallbacks=0, empty=0, milliseconds=1), Traffic(errors=0.1, milliseconds=50)),
    "no-traffic": Canary(NOTHING, NOTHING, FEW),
    "none-for-the-canary": Canary(NOTHING, expected=FEW),
    "none-beside-it": Canary(stable=NOTHING, expected=FEW),
    "one-request": Canary(Traffic(requests=1, errors=1), expected=FEW),
    "fewer-than-the-minimum": Canary(Traffic(requests=15, errors=0.5, fallbacks=1), expected=FEW),
    "without-requests": Canary(
        expected={"requests": "Failed", "errors": "Inconclusive"},
        canary_page=partial(without, "rankloop_requests_total"),
    ),
    "without-durations": Canary(
        expected=FEW | {"errors": "Successful"}, canary_page=partial(without, "stage_duration")
    ),
    "without-buckets": Canary(
        expected={"requests": "Failed", "latency": "Inconclusive"},
        stable_page=partial(without, "duration_seconds_bucket"),
    ),
    "without-scores": Canary(expected={"scores": "Failed"}, canary_page=partial(without, "best_score_share")),
    "beside-an-image-without-scores": Canary(
        expected={"scores": "Inconclusive"}, stable_page=partial(without, "best_score_share")
    ),
    "nan-errors": Canary(
        expected={"errors": "Inconclusive", "requests": "Failed"},
        canary_page=partial(not_a_number, "rankloop_requests_total"),
    ),
    "nan-fallbacks": Canary(
        expected={"fallbacks": "Failed"}, canary_page=partial(not_a_number, "rankloop_fallbacks_total")
    ),
} | {
    f"alike-{seed}": Canary(*[Traffic(requests=70, errors=0.02, fallbacks=0.4, empty=0.02)] * 2)
    for seed in range(ALIKE)
}


class Pages(QuietHTTPServer):
    """Serves each pod's page at a path of its own."""

    def __init__(self, pods: Mapping[str, Pod]) -> None:
        self.pods = pods
        super().__init__(("127.0.0.1", 0), Page)


class Page(BaseHTTPRequestHandler):
    """Answers a scrape."""

    server: Pages

    def do_GET(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.end_headers()
        self.wfile.write(self.server.pods[self.path].page)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def configuration(pages: Pages) -> str:
    """A scrape of every pod, with the label that a pod of a Rollout has."""
    targets = [
        {
            "targets": [pages.url.removeprefix("http://")],
            "labels": {"__metrics_path__": path, "pod": path, "rollouts_pod_template_hash": path.split("/")[1]},
        }
        for path in pages.pods
    ]
    job = {"job_name": "pods", "scrape_interval": "1s", "scrape_timeout": "1s", "static_configs": targets}
    return yaml.safe_dump({"scrape_configs": [job]})


def pods_of_cases() -> dict[str, Pod]:
    """The pods of all cases by their paths: one canary, and as many stable ones as the case says."""
    made = {}
    for number, (name, case) in enumerate(CASES.items()):
        made[f"/{name}-canary/0"] = Pod(case.canary, 10 * number, case.canary_page)
        for pod in range(1, case.stable_pods + 1):
            made[f"/{name}-stable/{pod}"] = Pod(case.stable, 10 * number + pod, case.stable_page)
    return made


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that has seen all rounds of all pods."""
    with answering(Pages(pods_of_cases())) as pages:
        folder = tmp_path_factory.mktemp("prometheus")
        with prometheus_server(folder, configuration(pages)) as url:
            for number in range(ROUNDS):
                for pod in pages.pods.values():
                    pod.take_a_round(number)
                until(lambda: ask(url, f"count({ROUND} == {number})") == [len(pages.pods)], pause=0.2)  # noqa: B023
            yield url


def analysed(case: str, **arguments: str) -> dict[str, Metric]:
    return metrics(canary=f"{case}-canary", stable=f"{case}-stable", window="1h", **arguments)


@pytest.mark.parametrize("case", [name for name in CASES if not name.startswith("alike")])
def test_what_is_wrong_with_a_canary_is_seen_and_nothing_else_is(prometheus: str, case: str) -> None:
    found = {name: metric.measure(prometheus) for name, metric in analysed(case).items()}
    values = {name: ask(prometheus, metric.query) for name, metric in analysed(case).items()}
    assert found == {"requests": "Successful"} | JUDGED | CASES[case].expected, values


def test_chance_alone_makes_no_canary_bad(prometheus: str) -> None:
    for seed in range(ALIKE):
        found = {name: metric.measure(prometheus) for name, metric in analysed(f"alike-{seed}").items()}
        assert found == {"requests": "Successful"} | JUDGED, seed


def test_without_prometheus_a_canary_is_in_error_after_three_minutes() -> None:
    with answering(Pages({})) as pages:
        gone = pages.url
    for metric in analysed("good").values():
        assert metric.measure(gone) == "Error"
        assert metric.assessed(["Error"] * 18) == "Successful"
        assert metric.assessed(["Error"] * 19) == "Error"  # tried again every ten seconds


def test_one_bad_measurement_is_enough_and_no_run_ends_inconclusive() -> None:
    for name, metric in analysed("good").items():
        assert metric.assessed(["Successful"] * 10 + ["Failed"]) == "Failed"
        if name != "requests":
            assert metric.assessed(["Inconclusive"] * 1000) == "Successful"


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_a_rollout_waits_longer_than_the_analysis_and_gives_what_it_asks(environment: str) -> None:
    rollout = yaml.safe_load((RENDERED / environment / "rollout-rankloop.yaml").read_text())
    canary = rollout["spec"]["strategy"]["canary"]
    asked = template(environment)["args"]
    [patience] = [one["value"] for one in asked if one["name"] == "patience"]
    pauses = [step["pause"]["duration"] for step in canary["steps"] if "pause" in step]
    assert sum(int(pause.removesuffix("m")) for pause in pauses) > int(patience.removesuffix("m"))
    assert canary["analysis"]["templates"] == [{"templateName": "rankloop-canary"}]
    assert {one["name"] for one in canary["analysis"]["args"]} == {one["name"] for one in asked if "value" not in one}
