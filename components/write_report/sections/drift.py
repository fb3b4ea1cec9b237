"""The section on drift: the newest data beside what the live ranker learned from."""

import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.write_report import formats
from components.write_report.facts import Facts

CALM_COLUMNS_SHOWN = 12
_VERDICTS = {"drifted": "Drifted", "stable": "Stable", "too_small": "Too small to judge"}


@dataclass(frozen=True)
class Statistic:
    """A statistic beside its limit; ``width`` is the way to the limit in percent, at most 100."""

    value: str
    limit: str
    exceeded: bool
    width: float


@dataclass(frozen=True)
class ColumnLine:
    """One watched column: KS and medians of numbers, new and vanished categories of words."""

    name: str
    verdict: str
    tone: str
    psi: Statistic | None
    ks: Statistic | None
    new: Statistic | None
    vanished: Statistic | None
    missing: tuple[str, str]
    medians: tuple[str, str]


@dataclass(frozen=True)
class TableLines:
    """One compared table: columns worst first; those beyond ``CALM_COLUMNS_SHOWN`` that are calm fold away.

    ``categories`` says whether it holds categories alone; then there are no numbers to show.
    """

    name: str
    reason: str
    categories: bool
    reference_rows: int | None
    live_rows: int | None
    shown: tuple[ColumnLine, ...]
    folded: tuple[ColumnLine, ...]


@dataclass(frozen=True)
class DriftSection:
    """The comparison in words and tables; ``evidently`` is Evidently's page, gzip and base64, or None."""

    verdict: str
    tone: str
    reasons: tuple[str, ...]
    quality: str | None
    tables: tuple[TableLines, ...]
    evidently: str | None


def drift_section(report: Mapping[str, Any] | None, evidently: bytes | None) -> DriftSection | None:
    """Gather a drift report in its JSON form (``DriftReport.to_dict``); None when nothing was compared."""
    facts = Facts(report)
    if not facts:
        return None
    verdict = facts.text("verdict") or "too_small"
    return DriftSection(
        verdict=_VERDICTS.get(verdict, formats.title(verdict)),
        tone=_tone(verdict),
        reasons=facts.texts("reasons"),
        quality=facts.child("quality").text("reason"),
        tables=tuple(_table(each) for each in facts.children("tables")),
        evidently=_packed(evidently) if evidently else None,
    )


def _table(found: Facts) -> TableLines:
    ordered = sorted(
        found.children("columns", "column"), key=lambda each: (-_nearness(each), each.text("column") or "")
    )
    lines = [_line(column) for column in ordered]
    shown = max(CALM_COLUMNS_SHOWN, sum(line.tone == "bad" for line in lines))
    return TableLines(
        name=formats.title(found.text("name") or "data"),
        reason=found.text("reason") or "",
        categories=bool(ordered) and all(each.text("kind") == "categorical" for each in ordered),
        reference_rows=found.count("reference_rows"),
        live_rows=found.count("live_rows"),
        shown=tuple(lines[:shown]),
        folded=tuple(lines[shown:]),
    )


def _nearness(column: Facts) -> float:
    """How far the worst statistic is along the way to its limit; drifted columns first."""
    ways = [
        value / limit
        for each in column.children("measures")
        if (value := each.number("value")) is not None and (limit := each.number("limit"))
    ]
    return max(ways, default=0.0) + (1e9 if column.text("verdict") == "drifted" else 0.0)


def _line(column: Facts) -> ColumnLine:
    measures = {each.text("name"): each for each in column.children("measures")}
    verdict = column.text("verdict") or "too_small"
    return ColumnLine(
        name=column.text("column", "name") or "",
        verdict=_VERDICTS.get(verdict, verdict),
        tone=_tone(verdict),
        psi=_statistic(measures.get("psi")),
        ks=_statistic(measures.get("ks")),
        new=_statistic(measures.get("new_category_share")),
        vanished=_statistic(measures.get("vanished_category_share")),
        missing=(formats.share(column.number("reference_missing")), formats.share(column.number("live_missing"))),
        medians=(formats.number(column.number("reference_median")), formats.number(column.number("live_median"))),
    )


def _statistic(found: Facts | None) -> Statistic | None:
    value, limit = (found.number("value"), found.number("limit")) if found else (None, None)
    if value is None or limit is None:
        return None
    width = 100.0 if limit <= 0 else min(100.0, 100 * value / limit)
    return Statistic(f"{value:.2f}", f"{limit:.2f}", value > 0 and value >= limit, round(width, 1))


def _tone(verdict: str) -> str:
    return {"drifted": "bad", "stable": "good"}.get(verdict, "held")


def _packed(page: bytes) -> str:
    """Pack Evidently's page (about 4.6 MB, nearly all of it scripts) into a quarter of its size."""
    return base64.b64encode(gzip.compress(page, compresslevel=6, mtime=0)).decode()
