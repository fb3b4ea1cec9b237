"""What ``/metrics`` reads from the parts of the service when somebody asks."""

from collections.abc import Callable
from functools import partial

from components.contracts import metrics
from components.contracts.metrics import Metric
from components.ranking_service.answering.breaker import State
from components.ranking_service.live.serving import Serving
from components.ranking_service.telemetry.counters import Readings
from components.ranking_service.telemetry.measures import Measures

MICROSECONDS = 1e6


def show_readings(measures: Measures, serving: Serving) -> None:
    """Show the service's numbers on the metrics page."""
    for metric, read in READINGS.items():
        measures.readers.show(metric, partial(read, serving))


def _bundles(serving: Serving) -> Readings:
    if serving.live is None:
        return None
    return {(arm, recommender.bundle.digest): 1.0 for arm, recommender in serving.live.arms.items()}


def _unverified(serving: Serving) -> Readings:
    if serving.live is None:
        return None
    return {(arm,): float(arm in serving.live.unverified) for arm in ("champion", "challenger")}


def _item_rows_age(serving: Serving) -> Readings:
    return None if serving.live is None else serving.now().timestamp() - serving.live.items_at / MICROSECONDS


def _breaker(serving: Serving) -> Readings:
    if serving.live is None:
        return None
    now = serving.live.champion.rows.breaker.state
    return {(state.name.lower(),): float(state is now) for state in State}


def _feedback_lists(serving: Serving) -> Readings:
    facts = serving.log.facts
    return {("written",): facts.lists_written, ("dropped",): facts.lists_dropped}


def _feedback_events(serving: Serving) -> Readings:
    facts = serving.log.facts
    return {
        ("written",): facts.events_written,
        ("repeated",): facts.events_repeated,
        ("refused",): facts.events_refused,
    }


READINGS: dict[Metric, Callable[[Serving], Readings]] = {
    metrics.BUNDLE_INFO: _bundles,
    metrics.BUNDLE_UNVERIFIED: _unverified,
    metrics.ITEM_ROWS_AGE: _item_rows_age,
    metrics.ONLINE_ROWS_EXPECTED: lambda serving: {
        (view,): count.expected for view, count in serving.row_counts().items()
    },
    metrics.ONLINE_ROWS: lambda serving: {(view,): count.there for view, count in serving.row_counts().items()},
    metrics.ROWS_DAMAGED: lambda serving: serving.live.champion.rows.damaged if serving.live else 0,
    metrics.STORE_BREAKER: _breaker,
    metrics.SESSIONS: lambda serving: serving.sessions.users,
    metrics.SESSIONS_DROPPED: lambda serving: serving.sessions.dropped,
    metrics.EVENTS_NOT_RESTORED: lambda serving: serving.events_left,
    metrics.REQUESTS_WAITING: lambda serving: serving.queue.pending,
    metrics.REQUESTS_SHED: lambda serving: serving.queue.shed,
    metrics.LIVE_CHANGES: lambda serving: serving.watcher.reloads,
    metrics.LIVE_REFUSED: lambda serving: serving.watcher.refused,
    metrics.FEEDBACK_LISTS: _feedback_lists,
    metrics.FEEDBACK_EVENTS: _feedback_events,
    metrics.FEEDBACK_LISTS_WAITING: lambda serving: serving.log.facts.lists_queued,
    metrics.FEEDBACK_SYNC_AGE: lambda serving: serving.log.facts.sync_age_seconds,
}
