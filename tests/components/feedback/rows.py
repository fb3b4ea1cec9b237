"""Lists and events, and a service that logs them."""

import asyncio
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import numpy as np

from components.feedback.segment_sink import open_sink
from components.feedback.segments.records import ServedEvent, ServedList
from components.home.storage.locations import Location

MOMENT = datetime(2017, 8, 28, 12, 0, 0, 123456, tzinfo=UTC)
LOGGED = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)


def a_list(request_id: str = "r1", **changed: Any) -> ServedList:
    """A list of two items with three features each."""
    given: dict[str, Any] = {
        "request_id": request_id,
        "event_time": MOMENT,
        "logged_at": LOGGED,
        "user_id": "ü\n1",
        "bundle": "d1",
        "arm": "champion",
        "item_ids": ("a", "b"),
        "scores": np.array([0.1, -0.0], np.float32),
        "propensities": np.ones(2),
        "features": np.array([[1 / 3, np.nan, -0.0], [1e-40, 3e38, 0.1]], np.float32),
        "feature_list": "f1",
    }
    return ServedList(**given | changed)


def an_event(event_id: str = "e1", **changed: Any) -> ServedEvent:
    """A click on the first item."""
    given: dict[str, Any] = {
        "event_id": event_id,
        "event_time": MOMENT,
        "received_at": LOGGED,
        "event_type": "click",
        "user_id": "u1",
        "item_id": "a",
        "request_id": "r1",
    }
    return ServedEvent(**given | changed)


def log_all(feedback: Location, *records: ServedList | ServedEvent) -> None:
    """Log lists and events, as a service that then stops."""
    with closing(open_sink(feedback)) as log:
        for record in records:
            if isinstance(record, ServedList):
                assert log.show(record)
        asyncio.run(log.take([record for record in records if isinstance(record, ServedEvent)]))


def nothing_is_held() -> "Future[None]":
    """Drop forgotten users from a process that holds none."""
    done: Future[None] = Future()
    done.set_result(None)
    return done
