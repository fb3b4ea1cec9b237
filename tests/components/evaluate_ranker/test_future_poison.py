import pyarrow as pa

from components.evaluate_ranker.future_poison import PoisonedWorkspace, poisoned
from tests.components.features.frames import PLAIN, clean_tables, event, on, workspace

EVENTS = [
    event(1, "ann", "milk", price=2.0, quantity=1.0),
    event(3, "ann", "bread", price=3.0, quantity=2.0),
    event(4, "bob", "milk", price=2.0, quantity=1.0),
    event(8, "bob", "milk", price=2.0, quantity=1.0, known=12),  # happened before the request, known after it
    event(10, "ann", "tea", price=4.0, quantity=1.0),
    event(12, "bob", "bread", price=3.0, quantity=1.0),
]


def views(tables: dict[str, pa.Table], day: float, poison_from: float) -> list[pa.Table]:
    """Both views at a day, from tables that are poisoned from a day on."""
    with workspace(tables) as space:
        return list(PoisonedWorkspace(space, on(poison_from), PLAIN).snapshots(on(day), PLAIN).values())


def test_snapshots_do_not_see_what_is_poisoned_after_them() -> None:
    tables = clean_tables(EVENTS)
    for true, absurd in zip(views(tables, 10, poison_from=99), views(tables, 10, poison_from=10), strict=True):
        assert true.equals(absurd)


def test_the_poison_bites_where_it_is_seen() -> None:
    tables = clean_tables(EVENTS)
    for true, absurd in zip(views(tables, 14, poison_from=99), views(tables, 14, poison_from=10), strict=True):
        assert not true.equals(absurd)


def test_rows_that_were_known_only_later_are_poisoned_too() -> None:
    tables = clean_tables(EVENTS)
    with workspace(tables) as space:
        rows = space.fetch(poisoned(space.clean, on(10), PLAIN)["events"].order_by("event_time"))
    assert rows["price"].to_pylist() == [2.0, 3.0, 2.0, 2000.0, 4000.0, 3000.0]
    assert rows["item_id"].to_pylist() == ["milk", "bread", "milk", "tea", "tea", "tea"]
