"""Check ingested rows against the data contract: valid rows become clean rows, the others go to quarantine."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import chain
from zoneinfo import ZoneInfo

import duckdb

from components.contracts.errors import ContractBreach
from components.contracts.handles import Handle
from components.contracts.moments import read_moment
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import SnapshotFacts, ValidationFacts
from components.contracts.tables import CANONICAL, ITEM_CODES, QUARANTINE
from components.home.layout import Home
from components.home.shop_note import write_nobody
from components.lake.session import delta_relation, duckdb_session
from components.lake.tables import append_rows, create_table, read_notes, table_version
from components.lake.upkeep import tidy_tables
from components.shop.settings import Shop
from components.validate_events.findings.known_items import SoldItems, sold_items, unknown_breach, unknown_warnings
from components.validate_events.findings.limits import ValidationCounts, breaches, count_rows, rejection_warnings
from components.validate_events.findings.quality import quality_facts, rows_by_day
from components.validate_events.findings.references import reference_warnings
from components.validate_events.findings.snapshot_limits import snapshot_breaches, snapshot_warnings
from components.validate_events.findings.warnings import (
    end_warnings,
    far_warnings,
    heavy_user_warnings,
    returning_session_warnings,
)
from components.validate_events.quarantine import quarantine_pending_rows, quarantine_snapshot
from components.validate_events.replacement import (
    Replacement,
    findings_of,
    known_items,
    replacement_of,
    write_clean_snapshot,
)
from components.validate_events.rollback import roll_back_delivery
from components.validate_events.rows.clocks import last_usual_day
from components.validate_events.rows.pending_rows import (
    PendingRows,
    find_pending_rows,
    read_watermark,
    write_clean_rows,
)
from components.validate_events.rows.sources import dropped_sources

GROWING = ("events", "impressions")
SNAPSHOTS = ("items", "users", "promotions")


def validate_events(
    shop: Shop, home: Home, raw: Handle, as_of: str | None, now: datetime, say: Callable[[str], None]
) -> StepResult[ValidationFacts]:
    """Validate what is new in the raw tables and bring ``home.clean`` up to date.

    Nothing is written before everything is validated, and each table's rows and watermark are one commit: after a
    breach the last good version is what it was, after a kill the next run finishes the work.
    Rows in are the new raw rows, rows out those of them that became clean; the handle carries the run's moment.

    Args:
        as_of: the moment to stand at; None is the end of the last complete day in the data.

    Raises:
        ContractBreach: a limit of the shop's contract is passed.
        ConfigurationError: ``as_of`` is no moment.
    """
    _create_tables(home)
    with duckdb_session() as session:
        say("validating new rows")
        validated = _validate(session, shop, home, raw)
        _refuse_breaches(shop, home, validated)
        say("writing clean tables")
        _write(session, shop, home, validated, now)
        for folder in (home.raw, home.clean, home.quarantine.parent):
            tidy_tables(home, folder)
        say("measuring quality")
        days = rows_by_day(session, home, shop.zone)
        end = last_usual_day(days, shop.contract)
        moment = resolve_as_of(as_of, end, shop.zone)
        facts = quality_facts(
            session,
            shop,
            home,
            validated.counts_by_table,
            moment,
            snapshots={table: each for table, each in validated.findings.items() if each.rows},
            dropped_sources=dropped_sources(session, shop, home, raw, list(validated.counts_by_table)),
        )
        unused = () if as_of else end_warnings(days, end, shop.contract)
        warnings = (*_warnings(shop, validated), *_warnings_of_clean(session, shop, home, moment, unused))
    return StepResult(
        handle=Handle(kind="clean", uri=str(home.clean), versions=_versions(home), as_of=moment.isoformat()),
        rows_in=sum(counts.rows for counts in validated.counts_by_table.values()),
        rows_out=sum(counts.valid for counts in validated.counts_by_table.values()),
        facts=facts,
        warnings=warnings,
    )


def _warnings_of_clean(
    session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, moment: datetime, unused: Iterable[str]
) -> Iterator[str]:
    """Warn of what the clean tables hold as they are now; ``unused`` are the warnings of rows after the moment."""
    yield from heavy_user_warnings(session, shop, "known_events")
    yield from reference_warnings(session, shop, home, moment)
    yield from far_warnings(read_watermark(read_notes(home.clean / "events")).far, shop.contract)
    yield from unused
    yield from returning_session_warnings(session, shop, "known_events")


def _create_tables(home: Home) -> None:
    for table, schema in CANONICAL.items():
        create_table(home.clean / table, schema)
    create_table(home.clean / "item_codes", ITEM_CODES)
    create_table(home.quarantine, QUARANTINE)


@dataclass(frozen=True)
class _Validated:
    """New rows, validated and counted before anything is written."""

    pending_rows: list[PendingRows]
    replacements: dict[str, Replacement | None]  # by snapshot table
    counts_by_table: dict[str, ValidationCounts]  # by growing table
    findings: dict[str, SnapshotFacts]  # by snapshot table
    sold: SoldItems | None


def _validate(session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, raw: Handle) -> _Validated:
    pending_rows = {
        table: find_pending_rows(session, shop, home, raw, table) for table in GROWING if table in raw.versions
    }
    replacements = {table: replacement_of(session, shop, home, raw, table) for table in SNAPSHOTS}
    return _Validated(
        pending_rows=list(pending_rows.values()),
        replacements=replacements,
        counts_by_table={table: count_rows(session, shop, pending) for table, pending in pending_rows.items()},
        findings={table: findings_of(home, table, replacement) for table, replacement in replacements.items()},
        sold=sold_items(
            session, shop, home, pending_rows.get("events"), known_items(shop, home, replacements["items"])
        ),
    )


def _refuse_breaches(shop: Shop, home: Home, validated: _Validated) -> None:
    by_table = {table: breaches(shop.contract, counts) for table, counts in validated.counts_by_table.items()}
    by_table["events"] = [*by_table.get("events", []), *unknown_breach(shop, validated.sold)]
    by_table |= {table: snapshot_breaches(shop, table, findings) for table, findings in validated.findings.items()}
    for pending in validated.pending_rows:
        if by_table[pending.table]:
            roll_back_delivery(home, pending)
    if any(by_table.values()):
        raise ContractBreach(
            "; ".join(chain.from_iterable(by_table.values())) + f"; the clean tables in {home.clean} are as they were: "
            "correct the source or the mapping, or set the limit under [contract] in the shop file; "
            "the next run reads the refused rows again, so keep them in the source until a run has accepted them"
        )


def _warnings(shop: Shop, validated: _Validated) -> Iterator[str]:
    for counts in validated.counts_by_table.values():
        yield from rejection_warnings(shop.contract, counts)
    for table, findings in validated.findings.items():
        yield from snapshot_warnings(shop, table, findings)
    yield from unknown_warnings(shop, validated.sold)


def _write(session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, validated: _Validated, now: datetime) -> None:
    write_nobody(home, shop.contract.no_user)
    for replacement in filter(None, validated.replacements.values()):
        quarantine_snapshot(session, home, replacement, now)
        write_clean_snapshot(session, shop, home, replacement)
    for pending in validated.pending_rows:
        quarantine_pending_rows(session, home, pending)
    extend_item_codes(session, home, validated.pending_rows)
    for pending in validated.pending_rows:
        write_clean_rows(session, home, pending)


def _versions(home: Home) -> dict[str, int]:
    versions = {
        table: table_version(home.table_path("clean", table)) for table in (*CANONICAL, "item_codes", "quarantine")
    }
    return {table: version for table, version in versions.items() if version is not None}


def resolve_as_of(asked: str | None, newest: date | None, zone: ZoneInfo) -> datetime:
    """Return the moment of a run, in UTC: the one asked for, or the beginning of the newest day with enough rows.

    A day is complete once there are events of a later day: the default is the end of the last complete day. A moment
    without an offset takes the shop's zone.

    Args:
        newest: the newest day, in the zone, with a plausible share of a usual day's rows.

    Raises:
        ConfigurationError: what was asked for is no moment.
        ContractBreach: nothing was asked for and there are no events.
    """
    if asked is not None:
        return read_moment(asked, zone)
    if newest is None:
        raise ContractBreach(
            "events: found no usable event, so there is no day to stand at; the sources of events hold no rows, or the "
            "quarantine holds all of them with the reasons: deliver events, or correct the source"
        )
    return datetime.combine(newest, time(), zone).astimezone(UTC)


def extend_item_codes(session: duckdb.DuckDBPyConnection, home: Home, pending_rows: list[PendingRows]) -> None:
    """Give a code to every item of the catalogue and of the valid new rows that has none."""
    uri = home.clean / "item_codes"
    catalogue = f"SELECT item_id FROM {delta_relation(home.clean / 'items', CANONICAL['items'])}"
    seen = [
        f"SELECT item_id FROM {pending.validated} WHERE reason IS NULL"
        for pending in pending_rows
        if not pending.is_empty
    ]
    new = (
        f"SELECT DISTINCT item_id FROM ({' UNION ALL '.join([catalogue, *seen])}) "
        f"ANTI JOIN {delta_relation(uri, ITEM_CODES)} AS coded USING (item_id)"
    )
    rows = session.sql(
        f"SELECT item_id, CAST(row_number() OVER (ORDER BY item_id) + {_largest(session, home)} AS INTEGER) "
        f"AS item_code FROM ({new}) ORDER BY item_id"
    ).to_arrow_table()
    if len(rows):
        append_rows(uri, rows.cast(ITEM_CODES), {})


def _largest(session: duckdb.DuckDBPyConnection, home: Home) -> int:
    codes = delta_relation(home.clean / "item_codes", ITEM_CODES)
    return int(session.execute(f"SELECT coalesce(max(item_code), -1) FROM {codes}").fetchall()[0][0])
