"""Small shops for tests: a shop file, a home, and what is in its lake."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from components.contracts.steps.declared import StepResult
from components.home.layout import Home
from components.ingest_events.ingestion import ingest_events
from components.shop.settings import Shop, load_shop
from components.validate_events.validation import validate_events

TINY_SHOP = """
name = "tiny"
[[events]]
name = "purchases"
event_type = "purchase"
source = { kind = "csv", path = "purchases.csv" }
columns = { user = "user", item = "item", time = "time" }
"""

NOW = datetime(2026, 1, 1, tzinfo=UTC)

PURCHASES = """
name = "corner_shop"
time_zone = "Europe/Berlin"

[[events]]
name = "purchases"
event_type = "purchase"
source = { kind = "csv", path = "purchases.csv" }
columns = { user = "customer", item = "article", time = "bought_at" }
"""


@dataclass
class ShopFolder:
    """A shop in a folder: its file, its sources beside it, and its home."""

    folder: Path
    said: list[str] = field(default_factory=list)

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    def shop(self) -> Shop:
        return load_shop(self.folder / "shop.toml")

    def write(self, name: str, content: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def ingest(self, now: datetime = NOW) -> StepResult[Any]:
        return ingest_events(self.shop(), self.home, now, self.said.append)

    def validate(self, as_of: str | None = None, now: datetime = NOW) -> StepResult[Any]:
        """Ingest and validate."""
        raw = self.ingest(now).handle
        return validate_events(self.shop(), self.home, raw, as_of, now, self.said.append)

    def raw(self, table: str = "events") -> list[dict[str, Any]]:
        return table_rows(self.home.raw / table)

    def clean(self, table: str = "events") -> list[dict[str, Any]]:
        return table_rows(self.home.clean / table)

    def quarantine(self) -> list[tuple[str, str]]:
        """Reason and row of everything in quarantine."""
        return sorted((row["reason"], row["row"]) for row in table_rows(self.home.quarantine))

    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.quarantine()]


def table_rows(uri: Path, version: int | None = None) -> list[dict[str, Any]]:
    """The rows of a Delta table, in the order of their string columns; hashes count last."""
    rows = pa.table(DeltaTable(uri, version=version).to_pyarrow_table())
    strings = [name for name in rows.column_names if pa.types.is_string(rows.schema.field(name).type)]
    strings.sort(key=lambda name: name in ("row_id", "event_id"))
    order = pc.sort_indices(rows, [(name, "ascending") for name in strings])
    return rows.take(order).to_pylist()


def shop_folder(folder: Path, toml: str = PURCHASES, **files: str) -> ShopFolder:
    """Write a shop file and CSV sources; ``purchases="..."`` becomes ``purchases.csv``."""
    shop = ShopFolder(folder)
    shop.write("shop.toml", toml)
    for name, content in files.items():
        shop.write(f"{name}.csv", content)
    return shop
