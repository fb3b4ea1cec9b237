"""``POST /v1/recommend`` and ``POST /v1/rank``: an answer to everybody, logged unless it is a preview."""

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
from starlette.background import BackgroundTask
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from components.experiments.experiment import ArmName
from components.feedback.records import ServedList
from components.ranking_service.answering.answers import Answer, Asked, Fallback, RankedItem
from components.ranking_service.answering.recommender import Recommender
from components.ranking_service.answering.together import Steps
from components.ranking_service.http.bodies import JSON, read_body
from components.ranking_service.http.costs import cost_of_list, cost_of_rank
from components.ranking_service.http.schemas import RankRequest, RecommendRequest, Request
from components.ranking_service.live.serving import Serving, serving_of
from components.ranking_service.telemetry.stopwatch import Stopwatch
from components.ranking_service.telemetry.visits import Visit, visit_of

log = logging.getLogger("bentoml.rankloop.rankings")
Ranking = Callable[[Recommender, Asked, Stopwatch], Steps[Answer]]
NOTHING = Answer((), "", Fallback.STORE_UNAVAILABLE, np.empty((0, 0), dtype=np.float32))


@dataclass(frozen=True)
class Given:
    """An answer, by which arm, and the recommender that made it (None: there was nothing to rank with)."""

    answer: Answer
    arm: ArmName
    experiment: str | None
    recommender: Recommender | None


async def recommend(request: HttpRequest) -> Response:
    """Answer with a user's ranked list."""
    asked = await read_body(request, RecommendRequest)

    def ranking(recommender: Recommender, wish: Asked, watch: Stopwatch) -> Steps[Answer]:
        return (yield from recommender.recommend(_narrowed(wish, asked, recommender), watch))

    return await _answered(request, asked, ranking, cost_of_list(asked))


async def rank(request: HttpRequest) -> Response:
    """Answer with given items in order."""
    asked = await read_body(request, RankRequest)

    def ranking(recommender: Recommender, wish: Asked, watch: Stopwatch) -> Steps[Answer]:
        return recommender.rank(wish, asked.items, watch)

    return await _answered(request, asked, ranking, cost_of_rank(asked))


async def _answered(request: HttpRequest, asked: Request, ranking: Ranking, cost: float) -> Response:
    serving, visit = serving_of(request), visit_of(request)
    wish = Asked(asked.user_id, viewed=asked.context.items if asked.context else (), explain=asked.explain)
    visit.charge(cost)
    given = await serving.turn.answer(_given(serving, asked, wish, ranking, visit.stopwatch), visit.caller, cost)
    _note(visit, asked, given)
    request_id = _list_id(request, visit)
    response = Response(orjson.dumps(_document(given, request_id, asked.explain)), media_type=JSON)
    if asked.arm is None and given.recommender is not None:
        response.background = _logging(serving, asked, wish, given, ranking, request_id)
    return response


def _list_id(request: HttpRequest, visit: Visit) -> str:
    """The id of a list: the request's, made unique where the caller gave it, for callers may give one twice."""
    given = request.headers.get("x-request-id") == visit.request_id
    return f"{visit.request_id}-{uuid.uuid4().hex[:12]}" if given else visit.request_id


def _given(serving: Serving, asked: Request, wish: Asked, ranking: Ranking, watch: Stopwatch) -> Steps[Given]:
    live = serving.live  # as it is when the turn has come
    if live is None:
        return Given(NOTHING, asked.arm or "champion", None, None)
    arm = live.arm_for(asked.user_id, asked.arm)
    recommender, is_its_own = live.recommender(arm)
    answer = yield from ranking(recommender, wish, watch)
    if not is_its_own:
        answer = replace(answer, fallback=Fallback.gravest(answer.fallback, Fallback.ARM_UNAVAILABLE))
    return Given(answer, arm, live.experiment.name if live.experiment else None, recommender)


def _narrowed(wish: Asked, asked: RecommendRequest, recommender: Recommender) -> Asked:
    """The wish with its length and filters, in terms of a recommender's items."""
    wish = replace(wish, k=asked.k or recommender.bundle.manifest.k, exclude=asked.exclude)
    filters = asked.filters
    if filters is None:
        return wish
    wanted = recommender.catalogue.matching(_named(filters.categories or ()), filters.brands or (), filters.max_price)
    stock = recommender.stock.items.columns.get("in_stock")
    if filters.in_stock_only and stock is not None:
        wanted = wanted & (stock != 0)
    return replace(
        wish,
        wanted=wanted,
        sources=filters.sources,
        max_per_category=filters.max_per_category,
        any_stock=filters.in_stock_only is False,
    )


def _named(categories: Sequence[str | list[str]]) -> list[str | tuple[str, ...]]:
    return [name if isinstance(name, str) else tuple(name) for name in categories]


def _note(visit: Visit, asked: Request, given: Given) -> None:
    visit.arm, visit.bundle, visit.fallback = given.arm, given.answer.bundle, given.answer.fallback
    visit.user_id, visit.is_counted = asked.user_id, asked.arm is None


def _document(given: Given, request_id: str, explain: bool) -> dict[str, Any]:
    answer = given.answer
    items = [_item(item, given.recommender if explain else None) for item in answer.items]
    return {
        "request_id": request_id,
        "bundle": answer.bundle or None,
        "arm": given.arm,
        "experiment": given.experiment,
        "fallback": answer.fallback,
        "items": items,
    }


def _item(item: RankedItem, explained_by: Recommender | None) -> dict[str, Any]:
    told: dict[str, Any] = {"item_id": item.item_id, "score": item.score}
    if explained_by is None:
        return told
    place, words = explained_by.positions.get(item.item_id), explained_by.catalogue
    named = {"title": item.item_id, "category": None}
    if place is not None:
        named = {"title": words.title(place), "category": words.categories.of(place)}
    return told | named | {"reasons": item.reasons}


def _logging(
    serving: Serving, asked: Request, wish: Asked, given: Given, ranking: Ranking, request_id: str
) -> BackgroundTask:
    """What is left to do once the caller has the answer: the shadow's list, and the log."""
    at = serving.now()
    shadow = serving.live.shadow_for(request_id, given.arm) if serving.live else None

    async def finish() -> None:
        shadowed = await _shadowed(serving, shadow, wish, ranking) if shadow else None
        serving.show(_record(request_id, at, asked, given, shadow, shadowed))

    return BackgroundTask(finish)


async def _shadowed(serving: Serving, shadow: ArmName, wish: Asked, ranking: Ranking) -> Answer | None:
    """What an arm ranks unseen; None where it is gone, fails, or answers have to wait."""
    live = serving.live
    if live is None or shadow not in live.arms or not serving.turn.has_room:
        return None
    try:
        return await serving.turn.answer(ranking(live.arms[shadow], replace(wish, explain=False), Stopwatch()))
    except Exception:
        log.exception("the %s could not rank unseen; the list is logged without it", shadow)
        return None


def _record(
    request_id: str, at: datetime, asked: Request, given: Given, shadow: ArmName | None, shadowed: Answer | None
) -> ServedList:
    answer, recommender = given.answer, given.recommender
    ranked = [item for item in answer.items if item.score is not None]
    unseen = [item for item in shadowed.items if item.score is not None] if shadowed else []
    return ServedList(
        request_id=request_id,
        event_time=at,
        logged_at=datetime.now(UTC),
        user_id=asked.user_id,
        bundle=answer.bundle,
        arm=given.arm,
        item_ids=[item.item_id for item in ranked],
        scores=np.array([item.score for item in ranked], dtype=np.float32),
        propensities=np.ones(len(ranked)),
        features=answer.features,
        feature_list=recommender.bundle.manifest.feature_list if recommender else "",
        experiment=given.experiment,
        fallback=answer.fallback,
        context=asked.context.model_dump_json(exclude_defaults=True) if asked.context else None,
        shadow_arm=shadow if shadowed else None,
        shadow_item_ids=[item.item_id for item in unseen] if shadowed else None,
        shadow_scores=np.array([item.score for item in unseen], dtype=np.float32) if shadowed else None,
    )
