"""The HTTP interface: its answers, and a problem document for every bad request."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from components.ranking_service.answering.answer_queue import AnswerQueue
from components.ranking_service.http import bodies
from components.ranking_service.http.bodies import MAX_BYTES
from components.ranking_service.http.routes import ranking_app
from components.ranking_service.live.serving import Serving
from components.ranking_service.settings import Limits
from tests.components.ranking_service.served_shop import (
    Caller,
    Stocked,
    listed,
    recommender,
)


def test_a_list_is_what_the_recommender_says(client: Caller, shop: Stocked) -> None:
    document = client.recommend("u1", k=3, exclude=["i01"])
    with recommender(shop) as own:
        expected = listed(own, "u1", 3, exclude=["i01"])
    assert document.pop("request_id") != client.recommend("u1")["request_id"]
    assert document == {
        "bundle": shop.bundle.digest,
        "arm": "champion",
        "experiment": None,
        "fallback": None,
        "items": [{"item_id": item.item_id, "score": item.score} for item in expected.items],
    }


def test_without_k_a_list_is_as_long_as_the_bundle_says(client: Caller, shop: Stocked) -> None:
    document = client.recommend("nobody")
    assert len(document["items"]) == shop.bundle.manifest.k
    assert document["fallback"] == "unknown_user"


def test_given_items_come_back_in_order_with_their_reasons(client: Caller) -> None:
    asked = {"user_id": "u1", "items": ["i03", "unheard of", "i01"], "explain": True}
    items = client.post("/v1/rank", json=asked).json()["items"]
    assert {item["item_id"] for item in items} == {"i03", "i01", "unheard of"}
    assert items[-1] == {"item_id": "unheard of", "score": None, "title": "unheard of", "category": None, "reasons": []}
    assert items[0]["reasons"]
    assert {(item["title"], item["category"]) for item in items[:2]} == {("Item 3", "DAIRY"), ("Item 1", "BREAD")}


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        ("/v1/recommend", {}, 422, "user_id: Field required"),
        ("/v1/recommend", {"user_id": ""}, 422, "user_id: String should have at least 1 character"),
        ("/v1/recommend", {"user_id": 7}, 422, "user_id: Input should be a valid string"),
        ("/v1/recommend", {"user_id": "u1", "k": 0}, 422, "k: Input should be greater than or equal to 1"),
        ("/v1/recommend", {"user_id": "u1", "k": 1_000_000}, 422, "k: Input should be less than or equal to 1000"),
        ("/v1/recommend", {"user_id": "u1", "k": 2.5}, 422, "k: "),
        ("/v1/recommend", {"user_id": "u1", "limit": 5}, 422, "limit: Extra inputs are not permitted"),
        ("/v1/recommend", {"user_id": "u" * 300}, 422, "user_id: String should have at most 256 characters"),
        ("/v1/recommend", {"user_id": "u1", "context": {"x": []}}, 422, "context.x: expected a text of at most 256 "),
        ("/v1/rank", {"user_id": "u1"}, 422, "items: Field required"),
        ("/v1/rank", {"user_id": "u1", "items": ["i"] * 1001}, 422, "items: List should have at most 1000 items"),
        ("/v1/rank", {"user_id": "u1", "items": ["i01", None]}, 422, "items.1: Input should be a valid string"),
        ("/v1/rank", {"user_id": "u1", "items": ["i" * 250] * 1200}, 413, f"more than {MAX_BYTES:,} bytes"),
        ("/v1/nothing", {}, 404, "Not Found"),
        ("/v1/recommend/", {"user_id": "u1"}, 404, "Not Found"),
    ],
)
def test_a_bad_request_is_told_what_was_found_and_expected(
    client: Caller, path: str, body: dict[str, Any], status: int, detail: str
) -> None:
    answered = client.post(path, json=body)
    assert answered.status_code == status
    assert answered.headers["content-type"] == "application/problem+json"
    assert detail in answered.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[1, 2]", b'{"user_id": NaN}', json.dumps("u1").encode()])
def test_what_is_no_json_object_is_refused(client: Caller, body: bytes) -> None:
    answered = client.post("/v1/recommend", content=body, headers={"content-type": "application/json"})
    assert answered.status_code in (400, 422)
    assert answered.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("kind", ["application/vnd.bentoml+pickle", "application/octet-stream", "text/plain"])
def test_only_json_is_read(client: Caller, kind: str) -> None:
    answered = client.post("/v1/recommend", content=b'{"user_id": "u1"}', headers={"content-type": kind})
    assert answered.status_code == 415
    assert answered.json()["detail"] == f"content-type: found {kind}, expected application/json"


def test_a_body_that_does_not_come_is_not_waited_for(client: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"user_id": '
        await asyncio.sleep(1)
        yield b'"u1"}'

    answered = client.post("/v1/recommend", content=slow(), headers={"content-type": "application/json"})
    assert (answered.status_code, answered.json()["detail"]) == (408, "the body took more than 0.01 s")


def test_what_a_caller_sent_is_not_repeated_at_length(client: Caller) -> None:
    answered = client.post("/v1/recommend", json={"user_id": "u1", "x" * 5000: 1})
    assert answered.status_code == 422
    assert len(answered.content) < 500


def test_a_service_that_stops_is_not_ready_but_answers(live: Serving) -> None:
    app = ranking_app()
    app.state.serving, app.state.drain.begun = live, True
    client = Caller(app)
    refused = client.ask("GET", "/readyz")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "about to stop" in refused.json()["detail"]
    assert client.ask("GET", "/livez").status_code == 200
    assert client.recommend("u1")["items"]


def test_another_method_is_refused_with_those_allowed(client: Caller) -> None:
    answered = client.ask("GET", "/v1/recommend")
    assert (answered.status_code, answered.headers["allow"]) == (405, "POST")


def test_a_crowd_is_answered_like_each_of_it_alone(
    client: Caller, live: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "queue", AnswerQueue(Limits(waiting_seconds=60)))  # none refused, however slow it is
    asked: list[tuple[str, dict[str, Any]]] = [
        *(("/v1/recommend", {"user_id": user, "k": 5}) for user in ("u1", "u2", "u3", "nobody")),
        ("/v1/recommend", {"user_id": "u1", "explain": True}),
        ("/v1/recommend", {"user_id": "u2", "arm": "baseline"}),
        ("/v1/recommend", {"user_id": "u3", "context": {"items": ["i02"]}}),
        ("/v1/recommend", {"user_id": "u4", "filters": {"brands": ["no such brand"]}}),
        ("/v1/rank", {"user_id": "u4", "items": ["i05", "i01", "unheard of"]}),
        ("/v1/recommend", {"user_id": ""}),
        ("/v1/recommend", {"user_id": "u5", "k": 2}),
    ]
    together = client.crowd(asked)
    for (path, document), response in zip(asked, together, strict=True):
        alone = client.post(path, json=document)
        assert response.status_code == alone.status_code
        assert without_id(response) == without_id(alone)
    assert [response.status_code for response in together].count(422) == 1


def without_id(answered: httpx.Response) -> dict[str, Any]:
    """An answer's document but for its own id."""
    return {name: value for name, value in answered.json().items() if name != "request_id"}
