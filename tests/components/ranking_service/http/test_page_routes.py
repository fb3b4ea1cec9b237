"""The endpoints that only the storefront page needs, over the small shop."""

import asyncio
import re
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from components.contracts.errors import StoreError
from components.ranking_service.answering.purchases import PastPurchase
from components.ranking_service.http.page_routes import page_assets
from components.ranking_service.http.routes import ranking_app
from components.ranking_service.page.storefront import Arm, Shop, Storefront

CUSTOMERS = ["u/1", "u1", "u10", "u2", "<b>"]


def known_customer(user_id: str) -> list[PastPurchase] | None:
    return [PastPurchase("i01", "Red apple", "FRUIT", 3, 1.5)] if user_id in CUSTOMERS else None


SHOP = Shop(
    shop="small",
    environment="local",
    k=5,
    arms=(Arm("champion", "sha256:1", 0.9), Arm("baseline", None, 0.1)),
    sources=("history", "popular"),
    rules={"max_per_category": None},
    categories=("FRUIT",),
)
STOREFRONT = Storefront(SHOP, customers=lambda: sorted(CUSTOMERS), bought=known_customer)


class Visitor:
    """Gets from the routes over one storefront."""

    def __init__(self, front: Storefront) -> None:
        app = ranking_app()
        app.state.serving = SimpleNamespace(live=SimpleNamespace(storefront=front))
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def get(self, path: str, **request: Any) -> httpx.Response:
        async def answered() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://localhost") as client:
                return await client.get(path, **request)

        return asyncio.run(answered())


@pytest.fixture(scope="module")
def client() -> Visitor:
    return Visitor(STOREFRONT)


@pytest.mark.parametrize("path", ["/", *(f"/page/{name}" for name in page_assets())])
def test_each_file_of_the_page_is_sent_once_and_runs_nothing_from_elsewhere(client: Visitor, path: str) -> None:
    answered = client.get(path)
    assert answered.status_code == 200
    assert answered.content
    policy = answered.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    again = client.get(path, headers={"if-none-match": answered.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", page_assets())
def test_nothing_of_the_page_is_elsewhere_or_inline(name: str) -> None:
    content = page_assets()[name].content.decode()
    addresses = set(re.findall(r"https?://[^\s\"')]+", content))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\son\w+=|\sstyle=|<style|innerHTML|insertAdjacentHTML|document\.write|eval\(", content)


@pytest.mark.parametrize("path", ["/page/nothing.js", "/page/..%2Fservice.py", "/page/"])
def test_no_other_file_is_sent(client: Visitor, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_shop_says_what_there_is_to_choose_from(client: Visitor) -> None:
    assert client.get("/v1/shop").json() == {
        "shop": "small",
        "environment": "local",
        "k": 5,
        "arms": [
            {"name": "champion", "bundle": "sha256:1", "share": 0.9},
            {"name": "baseline", "bundle": None, "share": 0.1},
        ],
        "sources": ["history", "popular"],
        "rules": {"max_per_category": None},
        "categories": ["FRUIT"],
    }


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("", ["<b>", "u/1", "u1", "u10", "u2"]),
        ("?like=u1", ["u1", "u10"]),
        ("?like=u&limit=2", ["u/1", "u1"]),
        ("?like=x", []),
        ("?like=%3Cb", ["<b>"]),
    ],
)
def test_customers_are_found_by_how_their_id_begins(client: Visitor, query: str, matches: list[str]) -> None:
    assert client.get(f"/v1/customers{query}").json() == {"customers": matches}


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "", "many", "1" * 5000, "٣"])
def test_a_limit_is_a_small_whole_number(client: Visitor, limit: str) -> None:
    assert client.get("/v1/customers", params={"limit": limit}).status_code == 422


@pytest.mark.parametrize("user_id", ["u1", "u%2F1", "%3Cb%3E"])
def test_a_customer_is_shown_with_what_they_bought(client: Visitor, user_id: str) -> None:
    document = client.get(f"/v1/customers/{user_id}").json()
    bought = {"item_id": "i01", "title": "Red apple", "category": "FRUIT", "trips": 3, "days_since_last": 1.5}
    assert (document["known"], document["bought"]) == (True, [bought])


def test_an_unknown_customer_bought_nothing(client: Visitor) -> None:
    assert client.get("/v1/customers/who").json() == {"user_id": "who", "known": False, "bought": []}
    assert client.get(f"/v1/customers/{'u' * 300}").status_code == 422


@pytest.mark.parametrize("user_id", ["u1\n", "\ufeffu1", " u1"])
def test_blanks_around_an_id_make_no_other_customer(client: Visitor, user_id: str) -> None:
    document = client.get(f"/v1/customers/{quote(user_id)}").json()
    assert (document["user_id"], document["known"]) == ("u1", True)


@pytest.mark.parametrize("user_id", ["u\r\n1", "u 1", "u1?"])
def test_another_id_is_another_customer_whatever_it_holds(client: Visitor, user_id: str) -> None:
    document = client.get(f"/v1/customers/{quote(user_id)}").json()
    assert (document["user_id"], document["known"]) == (user_id, False)


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/customers/u1"])
def test_a_store_that_is_down_is_told_with_when_to_try_again(path: str) -> None:
    def down(*_: object) -> None:
        raise StoreError("redis://nowhere: no answer")

    answered = Visitor(Storefront(SHOP, customers=down, bought=down)).get(path)
    assert (answered.status_code, answered.headers["retry-after"]) == (503, "1")
    assert "redis" not in answered.text
