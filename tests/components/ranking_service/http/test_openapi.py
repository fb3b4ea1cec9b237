"""The service's document: valid, whole, and what the routes really answer is what it says."""

import pytest
import schemathesis

from components.contracts.ids import MAX_ID_CHARACTERS
from components.ranking_service.http.openapi import openapi_document
from components.ranking_service.http.routes import ROUTES
from components.ranking_service.settings import Limits

BODY_PROBLEMS = {"400", "401", "405", "408", "413", "415", "422", "429", "503"}


def test_the_document_is_valid() -> None:
    schemathesis.openapi.from_dict(openapi_document(ROUTES)).validate()


@pytest.mark.parametrize(("path", "well"), [("/v1/recommend", "200"), ("/v1/rank", "200"), ("/v1/events", "202")])
def test_what_takes_a_body_says_all_that_can_go_wrong(path: str, well: str) -> None:
    answers = openapi_document(ROUTES)["paths"][path]["post"]["responses"]
    assert set(answers) == {well} | BODY_PROBLEMS
    assert all("X-Request-Id" in answer["headers"] for answer in answers.values())
    assert [status for status, answer in answers.items() if "Retry-After" in answer["headers"]] == ["429", "503"]


def test_limits_are_those_that_are_checked() -> None:
    schemas = openapi_document(ROUTES)["components"]["schemas"]
    assert schemas["RankRequest"]["properties"]["items"]["maxItems"] == 1000
    assert schemas["EventsRequest"]["properties"]["events"]["maxItems"] == 500
    assert f"{Limits().per_second:,.0f} a second" in str(openapi_document(ROUTES))


def test_health_needs_no_key_and_all_else_may() -> None:
    paths = openapi_document(ROUTES)["paths"]
    open_paths = {path for path, item in paths.items() for operation in item.values() if operation["security"] == []}
    assert open_paths == {"/livez", "/readyz"}


def test_ids_are_limited_as_they_are_read_not_as_they_are_sent() -> None:
    schemas = openapi_document(ROUTES)["components"]["schemas"]
    for id_schema in (schemas["RankRequest"]["properties"]["user_id"], schemas["Event"]["properties"]["item_id"]):
        assert {"maxLength", "pattern"}.isdisjoint(id_schema)
        assert f"1 to {MAX_ID_CHARACTERS} characters" in id_schema["description"]
