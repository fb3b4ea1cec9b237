"""A route is declared once: router, access, admission, metrics, the log and OpenAPI follow from the table."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import TypedDict

from components.ranking_service.answering.admission import Rates
from components.ranking_service.answering.answer_queue import AnswerQueue
from components.ranking_service.http.access import Access
from components.ranking_service.http.draining import Drain
from components.ranking_service.http.edge import EdgeDependencies, EdgeMiddleware
from components.ranking_service.http.openapi import openapi_document
from components.ranking_service.http.route import UNKNOWN, Admission, Route, RouteTable
from components.ranking_service.http.routes import ROUTES, ranking_app
from components.ranking_service.settings import Limits
from components.ranking_service.telemetry.measures import Measures
from components.ranking_service.telemetry.request_log import RequestLog
from tests.components.ranking_service.served_shop import Caller

OTHER_HOST = {"host": "shop.example"}


class EchoRequest(BaseModel):
    """What to say."""

    text: str


class Echo(TypedDict):
    """What was said."""

    text: str


async def echo(request: Request) -> Response:
    """Say it again."""
    return JSONResponse(await request.json())


@pytest.mark.parametrize("admission", Admission)
def test_a_route_of_the_table_is_found_everywhere(tmp_path: Path, admission: Admission) -> None:
    route = Route("POST", "/v1/echo/{id}", echo, "Say it.", EchoRequest, Echo, admission=admission)
    routes, limits, lines = RouteTable(*ROUTES, route), Limits(), list[bytes]()
    access, log = Access(tmp_path / "api_keys.json"), RequestLog(lines.append)
    parts = EdgeDependencies(access, Rates(limits), AnswerQueue(limits), Drain(), Measures(), log, routes=routes)
    client = Caller(EdgeMiddleware(ranking_app(routes), parts))

    assert client.post("/v1/echo/7", json={"text": "hi"}).json() == {"text": "hi"}
    assert client.ask("GET", "/v1/echo/7").headers["allow"] == "POST"
    elsewhere = client.post("/v1/echo/7", json={"text": "hi"}, headers=OTHER_HOST)
    assert elsewhere.status_code == (200 if route.is_open else 401)

    assert 'rankloop_requests_total{route="/v1/echo/{id}",status="200"}' in parts.measures.page().decode()
    log.start()
    log.stop()
    assert {json.loads(line)["route"] for line in b"".join(lines).splitlines()} == {"/v1/echo/{id}"}

    document = client.ask("GET", "/openapi.json").json()
    operation = document["paths"]["/v1/echo/{id}"]["post"]
    assert (operation["operationId"], operation["summary"]) == ("echo", "Say it.")
    assert ("401" in operation["responses"]) is not route.is_open
    assert {"EchoRequest", "Echo"} <= set(document["components"]["schemas"])


def test_a_route_without_a_summary_is_not_in_the_document() -> None:
    table = RouteTable(*ROUTES, Route("GET", "/secret", echo))
    assert openapi_document(table)["paths"] == openapi_document(ROUTES)["paths"]
    assert {route.path for route in ROUTES if not route.summary} == {"/", "/page/{asset}"}  # for people


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/v1/recommend", "/v1/recommend"),
        ("/v1/customers", "/v1/customers"),
        ("/v1/customers/", "/v1/customers/{user_id}"),
        ("/v1/customers/a/b", "/v1/customers/{user_id}"),
        ("/page/app.js", "/page/{asset}"),
        ("/page", "other"),
        ("/livez/", "other"),
        ("", "other"),
    ],
)
def test_a_path_leads_to_the_route_that_answers_it(path: str, label: str) -> None:
    assert ROUTES.find(path).label == label


def test_health_and_the_page_alone_are_open() -> None:
    assert {route.label for route in ROUTES if route.is_open} == {"/", "/page/{asset}", "/livez", "/readyz"}
    assert not UNKNOWN.is_open


def test_what_makes_lists_is_shed_before_it_is_read() -> None:
    shed: dict[str, Any] = {route.label: route.request for route in ROUTES if route.admission is Admission.SHED}
    assert set(shed) == {"/v1/recommend", "/v1/rank"}
