"""``POST /v1/recommend`` and ``POST /v1/rank``: every request is answered, and logged unless it is a preview.

::

    body ──▶ RankingQuery ──queue──▶ Serving.prepare ─▶ scored with others ─▶ Recommender.finish ──▶ Answer ──▶ document
                                                                                                        └──▶ log
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, NotRequired

import numpy as np
import orjson
from pydantic import Field
from starlette.background import BackgroundTask
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from typing_extensions import TypedDict  # pydantic reads that of ``typing`` from Python 3.12 on

from components.experiments.experiment import ArmName
from components.feedback.segments.records import ServedList
from components.ranking.rows import Floats
from components.ranking_service.answering.answers import Answer, Fallback, Filters, RankedItem, RankingQuery
from components.ranking_service.answering.recommender import MAX_EXPLAINED
from components.ranking_service.http import schemas
from components.ranking_service.http.bodies import JSON, read_body
from components.ranking_service.http.costs import cost_of_list, cost_of_rank
from components.ranking_service.http.schemas import RankRequest, RecommendRequest, Request
from components.ranking_service.live.serving import Serving, serving_of
from components.ranking_service.telemetry.request_context import RequestContext, context_of
from components.ranking_service.telemetry.stopwatch import Stopwatch

log = logging.getLogger("bentoml.rankloop.rankings")
REASONS = f"What spoke most for the item, in the shop's words; of the best {MAX_EXPLAINED} items only."


class Ranked(TypedDict):
    """One place of a list. Title, category and reasons are there when the request said `explain`."""

    item_id: str
    score: Annotated[
        float | None, Field(description="Higher is better, within one answer; null for an item that is not known.")
    ]
    title: NotRequired[str]
    category: NotRequired[str | None]
    reasons: NotRequired[Annotated[Sequence[str], Field(description=REASONS)]]


class RankedList(TypedDict):
    """A ranked list, best first."""

    request_id: Annotated[str, Field(description="Send it with every event that answers this list.")]
    bundle: Annotated[
        str | None, Field(description="Digest of the bundle that ranked; null: there was nothing to rank with.")
    ]
    arm: ArmName
    experiment: Annotated[str | None, Field(description="Name of the experiment that chose the arm.")]
    fallback: Annotated[Fallback | None, Field(description="What the answer had to do without.")]
    items: Sequence[Ranked]


async def recommend(request: HttpRequest) -> Response:
    """Answer with a user's ranked list."""
    body = await read_body(request, RecommendRequest)
    query = _query(request, body)
    query.k, query.exclude, query.filters = body.k, body.exclude, _filters(body.filters)
    return await _answer(request, body, query, cost_of_list(body))


async def rank(request: HttpRequest) -> Response:
    """Answer with given items in order."""
    body = await read_body(request, RankRequest)
    query = _query(request, body)
    query.items = body.items
    return await _answer(request, body, query, cost_of_rank(body))


async def _answer(request: HttpRequest, body: Request, query: RankingQuery, cost: float) -> Response:
    serving, context = serving_of(request), context_of(request)
    context.charge(cost)
    answer = await serving.queue.answer(partial(serving.prepare, query), context.caller, cost)
    _note(context, body, answer)
    request_id = list_id_of(request, context)
    response = Response(orjson.dumps(_document(answer, request_id, body.explain)), media_type=JSON)
    if body.arm is None and answer.bundle:
        response.background = _logging(serving, body, query, answer, request_id)
    return response


def _query(request: HttpRequest, body: Request) -> RankingQuery:
    """What both routes ask alike."""
    return RankingQuery(
        body.user_id,
        viewed=body.context.items if body.context else (),
        explain=body.explain,
        arm=body.arm,
        stopwatch=context_of(request).stopwatch,
    )


def _filters(given: schemas.Filters | None) -> Filters | None:
    if given is None:
        return None
    return Filters(
        categories=[name if isinstance(name, str) else tuple(name) for name in given.categories or ()],
        brands=given.brands or (),
        max_price=given.max_price,
        sources=given.sources,
        max_per_category=given.max_per_category,
        in_stock_only=given.in_stock_only,
    )


def list_id_of(request: HttpRequest, context: RequestContext) -> str:
    """The id of a list: the request's, made unique where the caller gave it, for callers may give one twice."""
    given = request.headers.get("x-request-id") == context.request_id
    return f"{context.request_id}-{uuid.uuid4().hex[:12]}" if given else context.request_id


def _note(context: RequestContext, body: Request, answer: Answer) -> None:
    context.arm, context.bundle, context.fallback = answer.arm, answer.bundle, answer.fallback
    context.is_empty, context.best_score = not answer.items, answer.best_score
    context.user_id, context.is_counted = body.user_id, body.arm is None


def _document(answer: Answer, request_id: str, explain: bool) -> RankedList:
    return {
        "request_id": request_id,
        "bundle": answer.bundle or None,
        "arm": answer.arm,
        "experiment": answer.experiment,
        "fallback": answer.fallback,
        "items": [_item(item, explain) for item in answer.items],
    }


def _item(item: RankedItem, explain: bool) -> Ranked:
    document: Ranked = {"item_id": item.item_id, "score": item.score}
    if explain:
        document |= {"title": item.title, "category": item.category, "reasons": item.reasons}
    return document


def _logging(serving: Serving, body: Request, query: RankingQuery, answer: Answer, request_id: str) -> BackgroundTask:
    """What is left to do once the caller has the answer: the shadow's list, and the log."""
    shadow = serving.live.shadow_for(request_id, answer.arm) if serving.live else None
    return BackgroundTask(_log_list, serving, body, query, answer, request_id, serving.now(), shadow)


async def _log_list(
    serving: Serving,
    body: Request,
    query: RankingQuery,
    answer: Answer,
    request_id: str,
    at: datetime,
    shadow: ArmName | None,
) -> None:
    unseen = await _unseen_answer(serving, shadow, query) if shadow else None
    serving.show(_record(request_id, at, body, answer, shadow, unseen))


async def _unseen_answer(serving: Serving, shadow: ArmName, query: RankingQuery) -> Answer | None:
    """What an arm ranks unseen; None where it is gone, fails, or answers have to wait."""
    live = serving.live
    if live is None or shadow not in live.arms or not serving.queue.has_capacity:
        return None
    query = replace(query, explain=False, stopwatch=Stopwatch())
    try:
        return await serving.queue.answer(partial(live.arms[shadow].prepare, query))
    except Exception:
        log.exception("the %s could not rank unseen; the list is logged without it", shadow)
        return None


def _record(
    request_id: str, at: datetime, body: Request, answer: Answer, shadow: ArmName | None, unseen: Answer | None
) -> ServedList:
    ranked = [item for item in answer.items if item.score is not None]
    ranked_unseen = [item for item in unseen.items if item.score is not None] if unseen else []
    return ServedList(
        request_id=request_id,
        event_time=at,
        logged_at=datetime.now(UTC),
        user_id=body.user_id,
        bundle=answer.bundle,
        arm=answer.arm,
        item_ids=[item.item_id for item in ranked],
        scores=_scores(ranked),
        propensities=np.ones(len(ranked)),
        features=answer.features,
        feature_list=answer.feature_list,
        experiment=answer.experiment,
        fallback=answer.fallback,
        context=body.context.model_dump_json(exclude_defaults=True) if body.context else None,
        shadow_arm=shadow if unseen else None,
        shadow_item_ids=[item.item_id for item in ranked_unseen] if unseen else None,
        shadow_scores=_scores(ranked_unseen) if unseen else None,
    )


def _scores(items: Sequence[RankedItem]) -> Floats:
    return np.array([item.score for item in items], dtype=np.float32)
