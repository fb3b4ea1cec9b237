"""A running service whose tombstones break or vanish goes on, and keeps to those that it knew."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from components.bundles.promotion import promote
from components.feedback.reading import events_of
from components.feedback.segments.layout import FeedbackLayout
from components.feedback.segments.records import read_lists
from components.feedback.segments.segment import list_segments, read_segments
from components.home.tombstones import add_tombstone
from components.ranking_service.live.serving import Serving
from tests.components.contracts.spoiling import SPOILING
from tests.components.ranking_service.served_shop import (
    PROMOTED_AT,
    Caller,
    Stocked,
    caller_of,
    published,
    random_trees,
    serving,
)
from tests.waiting import until

SEEDS = count(7)  # every promotion is of another bundle
SAID = "until then who was known to be forgotten stays so"


@pytest.fixture(params=SPOILING)
def broken(request: pytest.FixtureRequest, shop: Stocked) -> Iterator[Serving]:
    """A service that knew that u1 was forgotten before their file went bad."""
    spoil: Callable[[Path], None] = request.param
    add_tombstone(shop.home.tombstones, "u1")
    content = shop.home.tombstones.read_bytes()
    with serving(shop.home) as found:
        spoil(shop.home.tombstones)
        yield found
        shop.home.tombstones.unlink(missing_ok=True)
        shop.home.tombstones.write_bytes(content)


def customers(client: Caller) -> list[str]:
    answered = client.ask("GET", "/v1/customers", params={"limit": 100})
    assert answered.status_code == 200, answered.text
    found: list[str] = answered.json()["customers"]
    return found


def test_everything_is_answered_and_the_forgotten_stay_forgotten(
    broken: Serving, shop: Stocked, caplog: pytest.LogCaptureFixture
) -> None:
    client = caller_of(broken)
    lists = {user: client.recommend(user)["request_id"] for user in ("u1", "u2")}
    events = [
        {"event_id": f"of {request_id}", "type": "view", "user_id": user, "item_id": "i01"}
        for user, request_id in lists.items()
    ]
    answered = client.post("/v1/events", json={"events": events})
    assert (answered.status_code, answered.json()) == (202, {"accepted": 2, "repeated": 0})
    shown = customers(client)
    assert "u2" in shown
    assert "u1" not in shown
    until(lambda: broken.log.facts.lists_written > 0)
    written = FeedbackLayout(shop.home.feedback)  # as it is: readers would leave out who was forgotten
    taken = events_of(list_segments(written.events))["event_id"].to_pylist()
    assert [event["user_id"] for event in events if event["event_id"] in taken] == ["u2"]
    shown_lists = [read_lists(lines) for lines in read_segments(list_segments(written.lists))]
    assert lists["u2"] in {row["request_id"] for rows in shown_lists for row in rows.to_pylist()}
    assert "u1" not in {row["user_id"] for rows in shown_lists for row in rows.to_pylist()}
    assert caplog.text.count(SAID) == 1


def test_a_promotion_is_followed_and_its_page_knows_the_forgotten_too(
    broken: Serving, shop: Stocked, tmp_path: Path
) -> None:
    before = broken.live
    assert before is not None
    other = published(shop.home, tmp_path, random_trees(shop.features.revision, seed=next(SEEDS)))
    promote(shop.home, "small", other.digest, "local", PROMOTED_AT)
    until(lambda: broken.live is not before)
    shown = customers(caller_of(broken))
    assert "u2" in shown
    assert "u1" not in shown
