"""A small shop made by a seeded generator, whose customers' true preferences are known.

Customers like some categories, brands and price levels (``World.utility``), visit now and then, look at a list that an
earlier policy ordered (with position bias and known propensities), browse, buy, run out and buy again. A ranker can
be compared with the truth: ``true_scores`` is the order of an oracle.
"""

from pathlib import Path

from pipelines.shops.synthetic_shop.behaviour import History, simulate, true_scores
from pipelines.shops.synthetic_shop.files import write_files
from pipelines.shops.synthetic_shop.world import Size, World, make_world

__all__ = ["History", "Size", "World", "make_world", "simulate", "true_scores", "write_shop"]


def write_shop(folder: Path, size: Size | None = None, seed: int = 7) -> Path:
    """Make a shop and write its sources and shop file into a folder; return the path of the shop file."""
    size = size or Size()
    world = make_world(size, seed)
    return write_files(folder, world, simulate(world, size, seed))
