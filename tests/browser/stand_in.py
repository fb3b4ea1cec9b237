"""A stand-in for the service: the page's real routes, a made-up ranking, and faults on demand."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from components.ranking_service.answering.purchases import PastPurchase
from components.ranking_service.http.route import RouteTable
from components.ranking_service.http.routes import ROUTES, ranking_app
from components.ranking_service.page.storefront import Arm, Shop, Storefront

TITLES = ["Red apple", "Ale", "COLA, 2 L", "Dark bread", "Eggs", "Figs", "Grapes", "Honey"]
TITLES += ["Ice cream", "Jam", "Kale", "Lemons", "Milk", "Noodles"]
ITEMS = {f"i{place:02}": title for place, title in enumerate(TITLES)}
SECTIONS = ("DRINKS", "FOOD")
HOSTILE = "<img src=x onerror=alert(1)>"
CUSTOMERS = ["1", "10", "100", "1000", "2", HOSTILE]
PULL = {"view": 1.5, "add_to_cart": 3.0}  # places that an event lifts its item
K = 8


@dataclass
class StandIn:
    """What the page did, and what it is to meet: ``faults`` are (path, response) that requests get first."""

    key: str | None = None
    challenger: bool = True
    events: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    faults: list[tuple[str, Response]] = field(default_factory=list)

    def app(self) -> Starlette:
        """The application over this state."""
        own = {"/v1/recommend": self._recommend, "/v1/events": self._events}
        app = ranking_app(
            RouteTable(*(replace(route, endpoint=own.get(route.path, route.endpoint)) for route in ROUTES))
        )
        app.state.serving = SimpleNamespace(live=self)
        return app

    def refusal(self, request: Mapping[str, Any]) -> Response | None:
        """What a request gets instead of its answer."""
        path = request["path"]
        authorization = dict(request["headers"]).get(b"authorization", b"").decode()
        if self.key and path.startswith("/v1/") and authorization != f"Bearer {self.key}":
            return JSONResponse({"detail": "a key is needed"}, 401)
        for fault in self.faults:
            if fault[0] == path:
                self.faults.remove(fault)
                return fault[1]
        return None

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The events of a type that arrived."""
        return [event for event in self.events if event["type"] == kind]

    @property
    def storefront(self) -> Storefront:
        """What the page shows of the shop."""
        arms = [Arm("champion", "sha256:" + "c" * 64, 0.9), Arm("baseline", "sha256:" + "b" * 64, 0.1)]
        if self.challenger:
            arms.insert(1, Arm("challenger", "sha256:" + "d" * 64, 0.0))
        shop = Shop(
            shop="corner_shop",
            environment="local",
            k=K,
            arms=arms,
            sources=("history", "popular", "seen"),
            rules={"in_stock_only": "stocked", "max_per_category": 3},
            categories=SECTIONS,
        )
        return Storefront(shop, customers=lambda: sorted(CUSTOMERS), bought=bought)

    async def _recommend(self, request: Request) -> Response:
        asked = await request.json()
        self.asked.append(asked)
        arm, filters = asked.get("arm", "champion"), asked.get("filters", {})
        score = self._scores(asked["context"]["session_id"], arm)
        wanted = [item for item in score if section(item) in filters.get("categories", SECTIONS)]
        wanted = wanted[::2] if filters.get("sources") == ["popular"] else wanted
        best = sorted(wanted, key=lambda item: -score[item])[:K]
        document = {
            "request_id": f"r{len(self.asked)}",
            "bundle": "sha256:" + "c" * 64,
            "arm": arm,
            "experiment": None,
            "fallback": None if asked["user_id"] in CUSTOMERS else "unknown_user",
            "items": [{"item_id": item, "score": score[item], **explanation(item)} for item in best],
        }
        return JSONResponse(document)

    async def _events(self, request: Request) -> Response:
        events = (await request.json())["events"]
        self.events += events
        return JSONResponse({"accepted": len(events), "repeated": 0}, 202)

    def _scores(self, session: str, arm: str) -> dict[str, float]:
        lifted: dict[str, float] = defaultdict(float)
        gone = set()
        for event in self.events:
            if event.get("session_id") == session and event["type"] == "purchase":
                gone.add(event["item_id"])
            elif event.get("session_id") == session:
                lifted[event["item_id"]] += PULL.get(event["type"], 0)
        order = {"champion": 0, "challenger": 3, "baseline": 7}[arm]
        shuffled = {item: (place * (order or 1)) % 15 for place, item in enumerate(ITEMS)}
        return {item: 20.4375 - place + lifted[item] for item, place in shuffled.items() if item not in gone}


def section(item: str) -> str:
    """Even items are food, odd ones are drinks."""
    return SECTIONS[1 - int(item[1:]) % 2]


def explanation(item: str) -> dict[str, Any]:
    """What an explained item says of itself."""
    reasons = ["bought 12 times, about every 9 days; last 3 days ago", "popular: sold 1,204 times last week"]
    return {"title": ITEMS[item], "category": f"{section(item)} / FRESH & CHILLED", "reasons": reasons}


def bought(user_id: str) -> list[PastPurchase] | None:
    """Everything, for a customer who is known."""
    if user_id not in CUSTOMERS:
        return None
    if user_id == HOSTILE:
        return [PastPurchase(HOSTILE, HOSTILE, HOSTILE, 1, 0.2)]
    return [
        PastPurchase(item, title, None, 3 + place, 0.5 + 2.0 * place)
        for place, (item, title) in enumerate(ITEMS.items())
    ]


@contextmanager
def served(stand_in: StandIn) -> Iterator[str]:
    """Serve on a free port of this machine; yield the address."""
    app = stand_in.app()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        refused = stand_in.refusal(scope) if scope["type"] == "http" else None
        await (refused or app)(scope, receive, send)

    server = uvicorn.Server(uvicorn.Config(guarded, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, name="stand-in")
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join()
