"""Spans of requests, exported by the real SDK."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from components.ranking_service.telemetry.request_context import RequestContext
from components.ranking_service.telemetry.tracing import Tracing, tracing_to

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def exported(tracing: Tracing, file: Path, headers: list[tuple[bytes, bytes]], status: int = 200) -> dict[str, Any]:
    context = RequestContext("r1", "/v1/recommend", "web", arm="champion", user_id="ann")
    for stage in ("features", "scoring"):
        with context.stopwatch(stage):
            pass
    context.status, context.ended_ns = status, time.perf_counter_ns()
    tracing.trace({"method": "POST", "headers": headers}, context)
    tracing.stop()
    assert "ann" not in file.read_text()
    return {span["name"]: span for span in map(json.loads, file.read_text().splitlines())}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "traces.jsonl"


@pytest.fixture
def tracing(file: Path, monkeypatch: pytest.MonkeyPatch) -> Tracing:
    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    found = tracing_to(str(file))
    assert found is not None
    return found


def test_a_request_is_a_span_with_its_stages_below(tracing: Tracing, file: Path) -> None:
    spans = exported(tracing, file, [])
    request = spans["POST /v1/recommend"]
    assert request["parent_id"] is None
    assert request["attributes"] == {
        "http.request.method": "POST",
        "http.route": "/v1/recommend",
        "http.response.status_code": 200,
        "rankloop.request_id": "r1",
        "rankloop.arm": "champion",
    }
    assert request["resource"]["attributes"]["service.name"] == "rankloop"
    for stage in ("features", "scoring"):
        assert spans[stage]["parent_id"] == request["context"]["span_id"]
        assert request["start_time"] <= spans[stage]["start_time"] <= spans[stage]["end_time"] <= request["end_time"]


def test_a_request_continues_its_callers_trace(tracing: Tracing, file: Path) -> None:
    request = exported(tracing, file, [(b"traceparent", PARENT)], status=503)["POST /v1/recommend"]
    assert request["context"]["trace_id"] == "0x0af7651916cd43dd8448eb211c80319c"
    assert request["parent_id"] == "0xb7ad6b7169203331"
    assert request["status"]["status_code"] == "ERROR"


@pytest.mark.parametrize("given", [b"", b"\xff\x00", b"00-0-0-00", PARENT + b"-x", b"x" * 60_000])
def test_a_header_that_is_no_trace_begins_a_new_one(tracing: Tracing, file: Path, given: bytes) -> None:
    headers = [(b"traceparent", given), (b"tracestate", b"\xfe=,,=")]
    assert exported(tracing, file, headers)["POST /v1/recommend"]["parent_id"] is None


def test_nothing_is_traced_unless_asked_for() -> None:
    assert tracing_to(None) is None
