"""Every limit of what callers send is kept, on both of its sides."""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.requests import Request

from components.contracts.feedback import SERVED_TYPES
from components.ranking.candidates import SOURCES
from components.ranking_service.http.rankings import list_id_of
from components.ranking_service.http.schemas import (
    MAX_CONTEXT,
    MAX_EVENTS,
    MAX_ITEMS,
    MAX_NAMES,
    MAX_VIEWED,
    Document,
    EventsRequest,
    RankRequest,
    RecommendRequest,
)
from components.ranking_service.telemetry.request_context import (
    MAX_CHARACTERS,
    REQUEST_ID,
    VISIBLE,
    RequestContext,
    request_id_of,
)

EVENT = {"event_id": "e", "type": "view", "user_id": "u", "item_id": "i"}


def read(kind: type[Document], document: Any) -> Document:
    return kind.model_validate_json(json.dumps(document))


def context(**given: Any) -> dict[str, Any]:
    return {"user_id": "u", "context": given}


def filters(**given: Any) -> dict[str, Any]:
    return {"user_id": "u", "filters": given}


def event(**changes: Any) -> dict[str, Any]:
    return {"events": [EVENT | changes]}


TAKEN: list[tuple[type[Document], dict[str, Any]]] = [
    (RecommendRequest, {"user_id": "u" * 256}),
    (RecommendRequest, {"user_id": "ü 中 🛒 / ' \" <"}),
    *((RecommendRequest, {"user_id": "u", "k": k}) for k in (1, MAX_ITEMS, None)),
    *((RecommendRequest, {"user_id": "u", "arm": arm}) for arm in ("champion", "challenger", "baseline", None)),
    (RecommendRequest, {"user_id": "u", "exclude": ["i"] * MAX_ITEMS}),
    (RecommendRequest, context(items=["i"] * MAX_VIEWED, session_id="s")),
    (RecommendRequest, context(**{f"name{n}": n for n in range(MAX_CONTEXT)})),
    (RecommendRequest, context(a="x" * 256, b=True, c=1, d=1.5, e=None, **{"n" * 64: 0})),
    (RecommendRequest, filters(categories=["c"] * MAX_NAMES, brands=["b"] * MAX_NAMES)),
    (RecommendRequest, filters(categories=["c", ["Home / Garden", "Tools"], ["c"] * 20])),
    (RecommendRequest, filters(max_price=0, max_per_category=1, in_stock_only=True, sources=list(SOURCES))),
    (RankRequest, {"user_id": "u", "items": []}),
    (RankRequest, {"user_id": "u", "items": ["i"] * MAX_ITEMS, "explain": True}),
    (EventsRequest, {"events": [EVENT] * MAX_EVENTS}),
    *((EventsRequest, event(type=kind)) for kind in SERVED_TYPES),
    (EventsRequest, event(quantity=1e6, price=0, session_id="s", request_id="r" * 128)),
    (EventsRequest, event(time="2024-02-29T23:59:59.999999-11:30")),
]

REFUSED: list[tuple[type[Document], dict[str, Any], str]] = [
    *(
        (RecommendRequest, {"user_id": user}, "user_id")
        for user in ("", "\u200b \n", "u" * 257, "a\nb", "a\x00b", "a\u2028b", "\x7f", 7, None)
    ),
    *((RecommendRequest, {"user_id": "u", "k": k}, "k") for k in (0, -1, MAX_ITEMS + 1, 1e6, 2.0, "5", True)),
    *((RecommendRequest, {"user_id": "u", "arm": arm}, "arm") for arm in ("winner", "", 1)),
    (RecommendRequest, {"user_id": "u", "explain": "yes"}, "explain"),
    (RecommendRequest, {"user_id": "u", "exclude": ["i"] * (MAX_ITEMS + 1)}, "exclude"),
    (RecommendRequest, {"user_id": "u", "exclude": ["i", ""]}, "exclude.1"),
    (RecommendRequest, {"user_id": "u", "exclude": None}, "exclude"),
    (RecommendRequest, {"user_id": "u", "nonsense": 1}, "nonsense"),
    (RecommendRequest, context(items=["i"] * (MAX_VIEWED + 1)), "context.items"),
    (RecommendRequest, context(**{f"name{n}": n for n in range(MAX_CONTEXT + 1)}), "context"),
    (RecommendRequest, context(**{"n" * 65: 1}), "context"),
    *((RecommendRequest, context(a=value), "context.a") for value in ("x" * 257, [1], {"b": 1}, float("nan"))),
    (RecommendRequest, context(session_id=""), "context.session_id"),
    (RecommendRequest, filters(categories=[]), "filters.categories"),
    (RecommendRequest, filters(categories=["c"] * (MAX_NAMES + 1)), "filters.categories"),
    *(
        (RecommendRequest, filters(categories=[one]), "filters.categories.0")
        for one in ([], ["c"] * 21, [""], 7, [["c"]])
    ),
    (RecommendRequest, filters(brands=[""]), "filters.brands.0"),
    *((RecommendRequest, filters(max_price=price), "filters.max_price") for price in (-0.01, float("inf"), "3")),
    *((RecommendRequest, filters(max_per_category=limit), "filters.max_per_category") for limit in (0, MAX_ITEMS + 1)),
    *((RecommendRequest, filters(sources=given), "filters.sources") for given in ([], ["nowhere"])),
    (RecommendRequest, filters(color="red"), "filters.color"),
    (RankRequest, {"user_id": "u"}, "items"),
    (RankRequest, {"user_id": "u", "items": ["i"] * (MAX_ITEMS + 1)}, "items"),
    (RankRequest, {"user_id": "u", "items": [], "k": 5}, "k"),
    (EventsRequest, {"events": []}, "events"),
    (EventsRequest, {"events": [EVENT] * (MAX_EVENTS + 1)}, "events"),
    (EventsRequest, {"events": [EVENT, EVENT | {"type": "return"}]}, "events.1.type"),
    *((EventsRequest, event(**{name: ""}), f"events.0.{name}") for name in ("event_id", "user_id", "item_id")),
    *((EventsRequest, event(quantity=many), "events.0.quantity") for many in (0, -1, 1.1e6, float("nan"), "1")),
    *((EventsRequest, event(price=price), "events.0.price") for price in (-1, 1.1e9, float("inf"))),
    *(
        (EventsRequest, event(time=when), "events.0.time")
        for when in ("2024-02-01T12:00:00", "noon", 1706781600, "1706781600", "")
    ),
    *(
        (EventsRequest, event(request_id=one), "events.0.request_id")
        for one in ("r" * 129, "", "a\x00b", "a\n", "\x7f", 7)
    ),
    *((EventsRequest, event(item_id=word), "events.0.item_id") for word in ("null", "NaN", " undefined", "-")),
    (EventsRequest, event(bought=True), "events.0.bought"),
]


@pytest.mark.parametrize(("kind", "document"), TAKEN)
def test_what_is_within_the_limits_is_taken(kind: type[Document], document: dict[str, Any]) -> None:
    read(kind, document)


@pytest.mark.parametrize(("kind", "document", "place"), REFUSED)
def test_what_is_beyond_them_is_refused_by_its_place(
    kind: type[Document], document: dict[str, Any], place: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        read(kind, document)
    assert all(".".join(map(str, error["loc"])).startswith(place) for error in refused.value.errors())


def test_ids_are_read_as_those_of_files_are() -> None:
    asked = RecommendRequest.model_validate(
        {"user_id": " u001\u200b", "exclude": ["\ufeff7.0"], "context": {"items": ["7\t"]}}
    )
    sent = EventsRequest.model_validate(event(user_id="17.0", item_id=" i001"))
    given = RankRequest.model_validate({"user_id": "u", "items": ["i001 ", "1e5", "007"]})

    assert asked.context is not None
    assert (asked.user_id, asked.exclude, asked.context.items) == ("u001", ["7"], ["7"])
    assert (sent.events[0].user_id, sent.events[0].item_id) == ("17", "i001")
    assert given.items == ["i001", "1e5", "007"]


@pytest.mark.parametrize("given", [VISIBLE.decode(), "~" * MAX_CHARACTERS, None])
def test_an_event_may_name_every_list_that_the_service_makes(given: str | None) -> None:
    headers = [] if given is None else [(REQUEST_ID, given.encode())]
    context = RequestContext(request_id_of(headers), "/v1/recommend", "")
    list_id = list_id_of(Request({"type": "http", "headers": headers}), context)
    assert list_id.startswith(given or "")
    read(EventsRequest, event(request_id=list_id))


@pytest.mark.parametrize("value", ["x" * 257, [1], {"b": 1}, float("nan")])
def test_a_context_value_that_is_none_is_told_what_all_may_be(value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        read(RecommendRequest, context(a=value))
    (error,) = refused.value.errors()
    assert error["loc"] == ("context", "a")
    assert error["msg"] == "expected a text of at most 256 characters, a finite number, a boolean or null"


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\udc00x"'])
def test_half_a_character_is_no_id(text: str) -> None:
    with pytest.raises(ValidationError):
        RecommendRequest.model_validate_json(f'{{"user_id": {text}}}')
