"""Where features are computed: the clean tables in an engine, and a place for intermediate tables."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from components.contracts.tables import CANONICAL, ITEM_CODES
from components.home.storage.locations import Location
from components.lake.engine import open_workspace
from components.lake.workspace import Workspace

CLEAN = {**{name: CANONICAL[name] for name in ("events", "items", "users", "promotions")}, "item_codes": ITEM_CODES}


@contextmanager
def clean_workspace(clean: Location, versions: Mapping[str, int]) -> Iterator[Workspace]:
    """Open a workspace over the clean Delta tables at stated versions; a table without one has no rows."""
    with open_workspace() as space:
        yield space.over(
            {name: space.delta_table(clean / name, schema, versions.get(name)) for name, schema in CLEAN.items()}
        )
