"""What came of the lists that were shown lately: clicks and their positions, by arm.

Counters for Prometheus, not an experiment's read-out: that comes from the log (``rankloop experiment``). A list counts
once as clicked, with the best position that was clicked so far.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from components.contracts.metrics import LISTS_CLICKED, LISTS_SHOWN, RECIPROCAL_RANK
from components.ranking_service.telemetry.counters import Counter

MAX_LISTS = 20_000  # remembered at once: at 100 lists a second, the last three minutes; about 30 MB at ten items each
MAX_POSITIONS = 50  # of a list that are remembered; a click further down counts for next to nothing
CLICKS = ("click", "add_to_cart", "purchase")  # a page need not send a click before what follows from it


@dataclass(slots=True)
class _Shown:
    arm: str
    item_ids: tuple[str, ...]
    credited: float = 0.0
    """Reciprocal rank that was counted so far."""


class ClickThrough:
    """Remembers the lists of the last requests, and counts those that somebody clicked on."""

    def __init__(self) -> None:
        self._lists: OrderedDict[str, _Shown] = OrderedDict()
        self.shown, self.clicked = Counter(LISTS_SHOWN), Counter(LISTS_CLICKED)
        self.reciprocal_ranks = Counter(RECIPROCAL_RANK)
        self.counters = (self.shown, self.clicked, self.reciprocal_ranks)

    def show(self, request_id: str, arm: str, item_ids: Sequence[str]) -> None:
        """Count and remember a list that a caller was given."""
        self.shown.add(arm)
        self.remember(request_id, arm, item_ids)

    def remember(self, request_id: str, arm: str, item_ids: Sequence[str]) -> None:
        """Remember a list, which another process may have shown and counted."""
        self._lists[request_id] = _Shown(arm, tuple(item_ids[:MAX_POSITIONS]))
        self._lists.move_to_end(request_id)
        if len(self._lists) > MAX_LISTS:
            self._lists.popitem(last=False)

    def is_unknown(self, event_type: str, request_id: str | None) -> bool:
        """Say whether an event is a click on a list that is not remembered here."""
        return event_type in CLICKS and request_id is not None and request_id not in self._lists

    def tell(self, event_type: str, request_id: str | None, item_id: str) -> None:
        """Take an event; one that answers no list remembered changes nothing."""
        if event_type not in CLICKS or request_id is None:
            return
        shown = self._lists.get(request_id)
        if shown is None or item_id not in shown.item_ids:
            return
        if not shown.credited:
            self.clicked.add(shown.arm)
        gained = 1 / (1 + shown.item_ids.index(item_id)) - shown.credited
        if gained > 0:
            shown.credited += gained
            self.reciprocal_ranks.add(shown.arm, by=gained)
