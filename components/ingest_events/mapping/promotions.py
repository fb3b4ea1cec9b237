"""Promotions as exposure: (item, from, until, reach), added up over places while they are read."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from components.ingest_events.mapping.columns import SourceColumns
from components.ingest_events.mapping.times import Reading
from components.lake.session import quote_identifier, quote_literal
from components.lake.zones import earlier_instant_sql
from components.shop.settings import PromotionSource

WORD = 62  # places to a BIGINT


def promotions_sql(source: PromotionSource, columns: SourceColumns, relation: str) -> str:
    """Return SQL of the promotions of a relation, with ``problem`` and ``found``.

    Reach is the share of the places known by the promotion's start (places that had promoted anything until then), so
    that later rows never change it. Rows are counted per item and period before anything is parsed.
    """
    item = columns.id("item", source.item)
    starts, ends, calendar = _calendar(source, columns)
    keys = list(dict.fromkeys((source.item, *calendar, *columns.of_rows)))
    if source.place is not None:
        columns.kind("place", source.place)
    no_item = f"CASE WHEN {item.value} IS NULL THEN 'no item' END"
    problems = columns.problems([item.problem, no_item, starts.problem, ends.problem])
    shown = columns.as_found(dict.fromkeys((source.item, *calendar)), ", rows := rows")
    return f"""
        WITH {_counted(source.place, keys, relation)},
        read AS (
            SELECT
                {problems} AS problem,
                CASE WHEN {problems} IS NOT NULL THEN {shown} END AS found,
                {item.value} AS item_id,
                {starts.value} AS starts_at,
                {ends.value} AS ends_at,
                places
            FROM counted
        ),
        {_known_places(source, starts, relation)}
        SELECT
            problem,
            found,
            item_id,
            starts_at,
            ends_at,
            least(1.0, max(places) / any_value(coalesce(known, 1))) AS reach
        FROM read
        LEFT JOIN known_places USING (starts_at)
        GROUP BY problem, found, item_id, starts_at, ends_at
        """


def _counted(place: str | None, keys: list[str], relation: str) -> str:
    """Return SQL of the rows and distinct places of each item and period.

    Places are numbered and collected as bits, 62 to a word: five times as fast as ``count(DISTINCT …)``.
    """
    listed = ", ".join(quote_identifier(column) for column in keys)
    if place is None:
        return f"counted AS (SELECT {listed}, 1 AS places, count(*) AS rows FROM {relation} GROUP BY ALL)"
    return f"""
        numbered AS (
            SELECT place, row_number() OVER (ORDER BY place) - 1 AS number
            FROM (SELECT DISTINCT {quote_identifier(place)} AS place FROM {relation})
            WHERE place IS NOT NULL
        ),
        words AS (
            SELECT
                {listed},
                number // {WORD} AS word,
                bit_or(CAST(1 AS BIGINT) << (number % {WORD})) AS bits,
                count(*) AS rows
            FROM {relation} AS listed
            LEFT JOIN numbered ON listed.{quote_identifier(place)} = numbered.place
            GROUP BY ALL
        ),
        counted AS (
            SELECT
                {listed},
                CAST(coalesce(sum(bit_count(bits)), 0) AS BIGINT) AS places,
                CAST(sum(rows) AS BIGINT) AS rows
            FROM words
            GROUP BY ALL
        )
        """


def _calendar(source: PromotionSource, columns: SourceColumns) -> tuple[Reading, Reading, list[str]]:
    if source.period is None:
        starts, ends = str(source.starts), str(source.ends)
        return columns.time("starts", starts), columns.time("ends", ends), [starts, ends]
    number = columns.number("period", source.period)
    first = datetime.fromisoformat(str(source.first_period))
    instant = first if first.tzinfo else first.replace(tzinfo=columns.zone)
    problem = f"coalesce({number.problem}, CASE WHEN {number.value} IS NULL THEN 'no period' END)"
    starts_at, ends_at = (_period_boundary(instant, source.period_days, number.value, shift) for shift in (-1, 0))
    return Reading(starts_at, problem), Reading(ends_at), [source.period]


def _period_boundary(first: datetime, days: int, number: str, shift: int) -> str:
    """Return SQL of a period's first local midnight (or hour), in UTC: periods follow the shop's clock changes."""
    local = first.replace(tzinfo=None) + timedelta(days=days * shift)
    moment = f"(TIMESTAMP {quote_literal(str(local))} + to_days(CAST({number} AS INTEGER) * {days}))"
    if isinstance(first.tzinfo, ZoneInfo):
        return earlier_instant_sql(moment, first.tzinfo)
    ahead = int((first.utcoffset() or timedelta()).total_seconds())
    return f"timezone('UTC', {moment} - INTERVAL ({ahead}) SECOND)"


def _known_places(source: PromotionSource, starts: Reading, relation: str) -> str:
    if source.place is None:
        return "known_places AS (SELECT CAST(NULL AS TIMESTAMPTZ) AS starts_at, CAST(NULL AS BIGINT) AS known)"
    calendar = quote_identifier(source.period or str(source.starts))
    return f"""
        first_seen AS (
            SELECT {quote_identifier(source.place)} AS place, {calendar}, count(*)
            FROM {relation}
            GROUP BY ALL
        ),
        joined AS (SELECT place, min({starts.value}) AS starts_at FROM first_seen GROUP BY place),
        arrivals AS (SELECT starts_at, count(*) AS arrived FROM joined GROUP BY starts_at),
        moments AS (SELECT DISTINCT {starts.value} AS starts_at FROM first_seen),
        known_places AS (
            SELECT
                moments.starts_at,
                (SELECT sum(arrived) FROM arrivals WHERE arrivals.starts_at <= moments.starts_at) AS known
            FROM moments
        )
        """
