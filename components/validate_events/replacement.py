"""Snapshot tables: when their raw content or rules changed, they are validated and replaced as a whole."""

from dataclasses import asdict, dataclass

import duckdb

from components.contracts.handles import Handle
from components.contracts.steps.facts import SnapshotFacts
from components.contracts.tables import CANONICAL, RAW
from components.home.layout import Home
from components.lake.session import delta_relation, parquet_relation, stream_rows
from components.lake.tables import Notes, read_notes, replace_rows
from components.shop.settings import Shop
from components.validate_events.findings.bad_cells import measure_snapshot
from components.validate_events.rows.identity import with_known_users
from components.validate_events.rows.pending_rows import digest_settings
from components.validate_events.rows.snapshots import clean_columns, excluded_items, validated_snapshot

FINDINGS = "findings"  # in the notes of a clean snapshot table


@dataclass(frozen=True)
class Replacement:
    """A snapshot table to be replaced: the view of its validated rows, and its origin."""

    table: str  # items, users or promotions
    validated: str
    origin: Notes  # raw content and rules
    findings: SnapshotFacts


def replacement_of(
    session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, raw: Handle, table: str
) -> Replacement | None:
    """Validate a raw snapshot table, unless the clean one is already made from it; None then."""
    wanted = getattr(shop, table) is not None and table in raw.versions
    version = raw.versions[table] if wanted else None
    content = read_notes(home.raw / table, version)["content"] if wanted else None
    origin: Notes = {"content": content, "rules": digest_settings(shop, table)}
    if origin.items() <= read_notes(home.clean / table).items():
        return None
    rows = delta_relation(home.raw / table, RAW[table], version) if wanted else _no_rows(table)
    if table == "users":
        rows = with_known_users(shop.contract, rows)
    validated = f"validated_{table}"
    session.execute(f"CREATE TEMP TABLE {validated} AS {validated_snapshot(shop, table, rows)}")
    return Replacement(table, validated, origin, measure_snapshot(session, shop, table, validated))


def _no_rows(table: str) -> str:
    return parquet_relation([], RAW[table])


def write_clean_snapshot(session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, replacement: Replacement) -> None:
    """Replace a clean snapshot table by the valid rows."""
    schema = CANONICAL[replacement.table]
    rows = f"SELECT {clean_columns(shop, replacement.table)} FROM {replacement.validated} WHERE reason IS NULL"
    if replacement.table == "items":
        rows = f"{rows} UNION ALL BY NAME {excluded_items(shop, replacement.validated)}"
    ordered = f"SELECT {', '.join(schema.names)} FROM ({rows})"
    notes = replacement.origin | {FINDINGS: asdict(replacement.findings)}
    replace_rows(home.clean / replacement.table, stream_rows(session, ordered, schema), notes)


def findings_of(home: Home, table: str, replacement: Replacement | None) -> SnapshotFacts:
    """Return what is known of a snapshot table's rows: measured now, or when the clean table was made."""
    if replacement is not None:
        return replacement.findings
    noted = read_notes(home.clean / table).get(FINDINGS, {})
    return SnapshotFacts(**{name: value for name, value in noted.items() if name in SnapshotFacts.__dataclass_fields__})


def known_items(shop: Shop, home: Home, replacement: Replacement | None) -> str:
    """Return SQL of the item ids of the catalogue as it will be, those that only the rules name included."""
    if replacement is not None:
        return (
            f"SELECT item_id FROM {replacement.validated} WHERE reason IS NULL "
            f"UNION ALL SELECT item_id FROM ({excluded_items(shop, replacement.validated)})"
        )
    return f"SELECT item_id FROM {delta_relation(home.clean / 'items', CANONICAL['items'])}"
