"""What requests cost, by what they ask for; a plain list of ten counts as one.

Measured on the demo shop, logging included: an item of a list or of those to rank takes about a hundredth of a plain
list, a reason a tenth, an event a fiftieth (``python -m tests.benchmarks.callers`` says what that is worth to others).
"""

from components.ranking_service.answering.recommender import MAX_EXPLAINED
from components.ranking_service.http.schemas import RankRequest, RecommendRequest

PLAIN_ITEMS = 10
ITEMS = 125  # that cost as much as a plain list
REASONS = 10
BODY_BYTES = 12_000  # of a body, about fifty events


def cost_of_list(request: RecommendRequest) -> float:
    """Return the cost of a list."""
    return _cost(request.k or PLAIN_ITEMS, request.explain)


def cost_of_rank(request: RankRequest) -> float:
    """Return the cost of ordering given items."""
    return _cost(len(request.items), request.explain)


def cost_of_body(size: int) -> float:
    """Return the cost of reading a body of ``size`` bytes, and of taking what it holds."""
    return 1 + size / BODY_BYTES


def _cost(items: int, explain: bool) -> float:
    explained = min(items, MAX_EXPLAINED) if explain else 0
    return 1 + max(0, items - PLAIN_ITEMS) / ITEMS + explained / REASONS
