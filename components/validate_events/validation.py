"""Hold what was ingested against the data contract: sound rows become clean ones, the others go to quarantine."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import chain

import duckdb

from components.contracts.errors import ContractBreach
from components.contracts.handles import Handle
from components.contracts.step_facts import ValidationFacts
from components.contracts.steps import StepResult
from components.contracts.tables import CANONICAL, ITEM_CODES, QUARANTINE
from components.home.layout import Home
from components.home.nobody_note import write_nobody
from components.lake.session import duckdb_session
from components.lake.tables import create_table, read_notes, table_version
from components.lake.upkeep import tidy_tables
from components.shop.settings import Shop
from components.validate_events.findings.bad_cells import Findings
from components.validate_events.findings.clock_warnings import end_warnings, far_warnings
from components.validate_events.findings.known_items import SoldItems, sold_items, unknown_breach, unknown_warnings
from components.validate_events.findings.limits import Judgement, breaches, judge_rows, rejection_warnings
from components.validate_events.findings.quality import quality_facts, rows_by_day
from components.validate_events.findings.references import reference_warnings
from components.validate_events.findings.snapshot_limits import snapshot_breaches, snapshot_warnings
from components.validate_events.growth import Growth, growth_of, read_mark, write_clean_rows
from components.validate_events.item_codes import extend_item_codes
from components.validate_events.moments import resolve_as_of
from components.validate_events.quarantine import quarantine_growth, quarantine_snapshot
from components.validate_events.refusal import give_back
from components.validate_events.replacement import (
    Replacement,
    findings_of,
    known_items,
    replacement_of,
    write_clean_snapshot,
)
from components.validate_events.rows.clocks import last_usual_day
from components.validate_events.rows.heavy_users import heavy_user_warnings
from components.validate_events.rows.returning_sessions import returning_session_warnings
from components.validate_events.rows.sources import dropped_sources

GROWING = ("events", "impressions")
SNAPSHOTS = ("items", "users", "promotions")


def validate_events(
    shop: Shop, home: Home, raw: Handle, as_of: str | None, now: datetime, say: Callable[[str], None]
) -> StepResult[ValidationFacts]:
    """Judge what is new in the raw tables and bring ``home.clean`` up to date.

    Nothing is written before everything is judged, and each table's rows and watermark are one commit: after a breach
    the last good version is what it was, after a kill the next run finishes the work.
    Rows in are the new raw rows, rows out those of them that became clean; the handle carries the run's moment.

    Args:
        as_of: the moment to stand at; None is the end of the last complete day in the data.

    Raises:
        ContractBreach: a limit of the shop's contract is passed.
        ConfigurationError: ``as_of`` is no moment.
    """
    _create_tables(home)
    with duckdb_session() as session:
        say("judging new rows")
        judged = _judge(session, shop, home, raw)
        _refuse_breaches(shop, home, judged)
        say("writing clean tables")
        _write(session, shop, home, judged, now)
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
            judged.judgements,
            moment,
            snapshots={table: asdict(each) for table, each in judged.findings.items() if each.rows},
            dropped_sources=dropped_sources(session, shop, home, raw, list(judged.judgements)),
        )
        unused = () if as_of else end_warnings(days, end, shop.contract)
        warnings = (*_warnings(shop, judged), *_warnings_of_clean(session, shop, home, moment, unused))
    return StepResult(
        handle=Handle(kind="clean", uri=str(home.clean), versions=_versions(home), as_of=moment.isoformat()),
        rows_in=sum(judgement.rows for judgement in judged.judgements.values()),
        rows_out=sum(judgement.valid for judgement in judged.judgements.values()),
        facts=facts,
        warnings=warnings,
    )


def _warnings_of_clean(
    session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, moment: datetime, unused: Iterable[str]
) -> Iterator[str]:
    """Warn of what the clean tables hold as they are now; ``unused`` are the warnings of rows after the moment."""
    yield from heavy_user_warnings(session, shop, "known_events")
    yield from reference_warnings(session, shop, home, moment)
    yield from far_warnings(read_mark(read_notes(home.clean / "events")).far, shop.contract)
    yield from unused
    yield from returning_session_warnings(session, shop, "known_events")


def _create_tables(home: Home) -> None:
    for table, schema in CANONICAL.items():
        create_table(home.clean / table, schema)
    create_table(home.clean / "item_codes", ITEM_CODES)
    create_table(home.quarantine, QUARANTINE)


@dataclass(frozen=True)
class _Judged:
    """What is new, judged and counted before anything is written."""

    growths: list[Growth]
    replacements: dict[str, Replacement | None]  # by snapshot table
    judgements: dict[str, Judgement]  # by growing table
    findings: dict[str, Findings]  # by snapshot table
    sold: SoldItems | None


def _judge(session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, raw: Handle) -> _Judged:
    growths = {table: growth_of(session, shop, home, raw, table) for table in GROWING if table in raw.versions}
    replacements = {table: replacement_of(session, shop, home, raw, table) for table in SNAPSHOTS}
    return _Judged(
        growths=list(growths.values()),
        replacements=replacements,
        judgements={table: judge_rows(session, shop, growth) for table, growth in growths.items()},
        findings={table: findings_of(home, table, replacement) for table, replacement in replacements.items()},
        sold=sold_items(session, shop, home, growths.get("events"), known_items(shop, home, replacements["items"])),
    )


def _refuse_breaches(shop: Shop, home: Home, judged: _Judged) -> None:
    by_table = {table: breaches(shop.contract, judgement) for table, judgement in judged.judgements.items()}
    by_table["events"] = [*by_table.get("events", []), *unknown_breach(shop, judged.sold)]
    by_table |= {table: snapshot_breaches(shop, table, findings) for table, findings in judged.findings.items()}
    for growth in judged.growths:
        if by_table[growth.table]:
            give_back(home, growth)
    if any(by_table.values()):
        raise ContractBreach(
            "; ".join(chain.from_iterable(by_table.values())) + f"; the clean tables in {home.clean} are as they were: "
            "correct the source or the mapping, or set the limit under [contract] in the shop file; "
            "the next run reads the refused rows again, so keep them in the source until a run has accepted them"
        )


def _warnings(shop: Shop, judged: _Judged) -> Iterator[str]:
    for judgement in judged.judgements.values():
        yield from rejection_warnings(shop.contract, judgement)
    for table, findings in judged.findings.items():
        yield from snapshot_warnings(shop, table, findings)
    yield from unknown_warnings(shop, judged.sold)


def _write(session: duckdb.DuckDBPyConnection, shop: Shop, home: Home, judged: _Judged, now: datetime) -> None:
    write_nobody(home, shop.contract.no_user)
    for replacement in filter(None, judged.replacements.values()):
        quarantine_snapshot(session, home, replacement, now)
        write_clean_snapshot(session, shop, home, replacement)
    for growth in judged.growths:
        quarantine_growth(session, home, growth)
    extend_item_codes(session, home, judged.growths)
    for growth in judged.growths:
        write_clean_rows(session, home, growth)


def _versions(home: Home) -> dict[str, int]:
    found = {
        table: table_version(home.handed_table("clean", table)) for table in (*CANONICAL, "item_codes", "quarantine")
    }
    return {table: version for table, version in found.items() if version is not None}
