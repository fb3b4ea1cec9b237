"""``POST /v1/events``: what was shown, viewed, clicked, added or bought; answered once it is kept."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

import orjson
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import TypedDict  # pydantic reads that of ``typing`` from Python 3.12 on

from components.contracts.moments import EPOCH
from components.feedback.segments.records import ServedEvent
from components.feedback.sink import EventsRefusedError
from components.ranking_service.http.bodies import JSON, parse_body, receive_body
from components.ranking_service.http.problems import unavailable
from components.ranking_service.http.schemas import FUTURE_SECONDS, Event, EventsRequest
from components.ranking_service.live.serving import Serving, serving_of
from components.ranking_service.telemetry.request_context import context_of

MAX_WAITING_BYTES = 8_000_000  # of long batches: about 35,000 events


class EventsTaken(TypedDict):
    """Events that are on disk now."""

    accepted: int
    repeated: Annotated[int, Field(description="Events whose id was known already; they are not taken again.")]


async def events(request: Request) -> Response:
    """Take events, all or none; one whose id is known is not taken again."""
    serving, body = serving_of(request), await receive_body(request)
    async with nullcontext() if body.is_small else _turn(serving, context_of(request).caller, len(body.content)):
        batch = await parse_body(request, body, EventsRequest)
        try:
            taken = await serving.take(_served(batch.events, serving.now()))
        except EventsRefusedError as error:
            raise unavailable(str(error)) from error
    answer = EventsTaken(accepted=taken.accepted, repeated=taken.repeated)
    return Response(orjson.dumps(answer), HTTPStatus.ACCEPTED, media_type=JSON)


def _turn(serving: Serving, caller: str, size: int) -> AbstractAsyncContextManager[None]:
    """Wait until a long batch may be taken: one after the other, by turns of their callers.

    Raises:
        HTTPException: 503: too much waits already.
    """
    waiting = serving.long_batches.waiting
    if waiting + size > MAX_WAITING_BYTES:
        detail = f"{waiting / 1e6:.1f} MB of events wait already"
        raise unavailable(f"events were not taken: {detail}; send them again later")
    return serving.long_batches.held(caller, size)


def _served(events: Sequence[Event], now: datetime) -> list[ServedEvent]:
    """Events as they are logged, with the service's time where the caller gave none.

    Raises:
        HTTPException: one lies in the future, or before 1970.
    """
    received = datetime.now(UTC)
    return [
        ServedEvent(
            event_id=event.event_id,
            event_time=_time(place, event, now),
            received_at=received,
            event_type=event.type,
            user_id=event.user_id,
            item_id=event.item_id,
            quantity=event.quantity,
            price=event.price,
            session_id=event.session_id,
            request_id=event.request_id,
            taken_at=now,
        )
        for place, event in enumerate(events)
    ]


def _time(place: int, event: Event, now: datetime) -> datetime:
    if event.time is None:
        return now
    ahead = event.time - now
    if ahead > timedelta(seconds=FUTURE_SECONDS) or event.time < EPOCH:
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"events.{place}.time: found {event.time.isoformat()}, expected a time from {EPOCH.year} to"
            f" {FUTURE_SECONDS} s after the service's own ({now.isoformat(timespec='seconds')}); leave it out for now",
        )
    return min(event.time.astimezone(UTC), now)
