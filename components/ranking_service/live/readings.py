"""What metrics read from the parts of the service when somebody asks."""

from components.ranking_service.live.serving import Serving
from components.ranking_service.telemetry.counters import Readers
from components.ranking_service.telemetry.measures import Measures

MICROSECONDS = 1e6
LOGGED = {
    "lists_written": "Lists on disk.",
    "lists_dropped": "Lists lost because too many waited.",
    "events_written": "Events on disk.",
    "events_repeated": "Events that were known already.",
    "events_refused": "Events that were not taken because the disk refused.",
}


def show_readings(measures: Measures, serving: Serving) -> None:
    """Show the service's numbers on the metrics page."""

    def digests() -> dict[str, str]:
        return {arm: ranking.bundle.digest for arm, ranking in serving.live.arms.items()} if serving.live else {}

    measures.bundles = digests
    _show_rows(measures.readers, serving)
    _show_sessions(measures.readers, serving)
    _show_changes(measures.readers, serving)
    _show_log(measures.readers, serving)


def _show_rows(show: Readers, serving: Serving) -> None:
    """Show the rows that the service ranks by, and the store that they come from."""

    def age() -> float | None:
        return None if serving.live is None else serving.now().timestamp() - serving.live.items_at / MICROSECONDS

    def breaker() -> float | None:
        return None if serving.live is None else float(serving.live.champion.rows.breaker.state)

    show.gauge("rankloop_item_rows_age_seconds", "Age of the newest item row, by the home's clock.", age)
    show.gauges(
        "rankloop_online_rows_expected",
        "Rows that a run put online.",
        ["view"],
        lambda: {(view,): float(count.expected) for view, count in serving.row_counts().items()},
    )
    show.gauges(
        "rankloop_online_rows",
        "Rows that are online, estimated from a sample of them.",
        ["view"],
        lambda: {(view,): float(count.there) for view, count in serving.row_counts().items()},
    )
    show.counter(
        "rankloop_rows_damaged",
        "Users' rows that could not be read for what they hold, since the item rows were read.",
        lambda: float(serving.live.champion.rows.damaged) if serving.live else 0.0,
    )
    show.gauge("rankloop_store_breaker", "The store's circuit breaker: 0 closed, 1 open, 2 trying.", breaker)


def _show_sessions(show: Readers, serving: Serving) -> None:
    show.gauge("rankloop_sessions", "Users whose sessions are held.", lambda: float(serving.sessions.users))
    show.counter(
        "rankloop_sessions_dropped",
        "Users of whose sessions memory holds none, for there are too many.",
        lambda: float(serving.sessions.dropped),
    )
    show.gauge(
        "rankloop_events_not_restored",
        "Events that the start did not read, for there are too many.",
        lambda: float(serving.events_left),
    )


def _show_changes(show: Readers, serving: Serving) -> None:
    """Show what waits for an answer, and how often what is live changed."""
    show.gauge("rankloop_requests_waiting", "Requests that wait or are answered.", lambda: serving.queue.pending)
    show.counter("rankloop_requests_shed", "Requests refused for want of time.", lambda: float(serving.queue.shed))
    show.counter(
        "rankloop_live_changes", "Times that what is live was replaced.", lambda: float(serving.reloading.reloads)
    )
    show.counter(
        "rankloop_live_refused",
        "Bundles and experiments that could not be taken up.",
        lambda: float(serving.reloading.refused),
    )


def _show_log(show: Readers, serving: Serving) -> None:
    """Show what of lists and events is on disk, and what waits or was lost."""
    show.gauge("rankloop_lists_queued", "Lists not on disk yet.", lambda: serving.log.facts.lists_queued)
    show.gauge(
        "rankloop_feedback_sync_age_seconds",
        "Time since everything logged was on disk.",
        lambda: serving.log.facts.sync_age_seconds,
    )
    for name, help_text in LOGGED.items():
        show.counter(f"rankloop_{name}", help_text, lambda name=name: float(getattr(serving.log.facts, name)))  # type: ignore[misc]
