"""Compare a live window's sketches with the reference's.

A statistic counts as drift when it reaches its limit: the larger of the threshold (a change that matters) and the
critical value (a change that noise does not reach). Critical values hold for all statistics of the window together:
each gets an equal part of ``false_alarm_rate`` (Bonferroni), and sample sizes are divided by rows per unit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from components.contracts.errors import FeatureError
from components.drift import binning, statistics
from components.drift.categorical import CategoricalSketch
from components.drift.kinds import ColumnKind
from components.drift.numeric import NumericSketch
from components.drift.report import ColumnDrift, DriftReport, Measure, TableDrift, Verdict
from components.drift.sketches import ColumnSketch, Sketches, TableSketch, sketch_kind
from components.drift.thresholds import DriftThresholds
from components.drift.wording import absent_column, drift_in_words, table_in_words, too_small_in_words
from components.ranking.features import AGES

_STATISTICS = {ColumnKind.NUMERIC: 4, ColumnKind.CATEGORICAL: 4}


@dataclass(frozen=True)
class _Sizes:
    """Rows per unit on both sides, the thresholds, and the error probability of each single statistic."""

    reference_effect: float
    live_effect: float
    thresholds: DriftThresholds
    alpha: float

    def effective(self, reference_rows: int, live_rows: int) -> tuple[float, float]:
        return reference_rows / self.reference_effect, live_rows / self.live_effect

    def enough(self, reference_rows: int, live_rows: int) -> bool:
        return min(self.effective(reference_rows, live_rows)) >= self.thresholds.min_users


def compare(reference: Sketches, live: Sketches, thresholds: DriftThresholds | None = None) -> DriftReport:
    """Compare every live table with the reference table of its name; raise ``FeatureError`` for an unknown one."""
    thresholds = thresholds or DriftThresholds()
    check_tables(reference, live.tables)
    names = [name for name in reference.tables if name in live.tables]
    kinds = [kind for name in names for kind in reference.tables[name].kinds.values()]
    alpha = thresholds.false_alarm_rate / max(sum(_STATISTICS[kind] for kind in kinds), 1)
    return DriftReport(
        tuple(compare_table(name, reference.tables[name], live.tables[name], thresholds, alpha) for name in names)
    )


def check_tables(reference: Sketches, names: Iterable[str]) -> None:
    """Raise ``FeatureError`` for tables that the reference does not have."""
    unknown = sorted(set(names) - set(reference.tables))
    if unknown:
        known = ", ".join(sorted(reference.tables))
        raise FeatureError(f"drift: no reference for {', '.join(unknown)}; the bundle has {known}: leave them out")


def compare_table(
    name: str, reference: TableSketch, live: TableSketch, thresholds: DriftThresholds, alpha: float
) -> TableDrift:
    """Compare one table; ``alpha`` is the error probability of each single statistic."""
    sizes = _Sizes(reference.design_effect, live.design_effect, thresholds, alpha)
    enough = sizes.enough(reference.rows, live.rows)
    columns = tuple(
        _column(column, sketch, live.columns.get(column), sizes, enough) for column, sketch in reference.columns.items()
    )
    drifted = sum(column.verdict is Verdict.DRIFTED for column in columns)
    verdict = Verdict.DRIFTED if drifted else Verdict.STABLE if enough else Verdict.TOO_SMALL
    unit = "rows" if live.units is None else "users"
    small = too_small_in_words(*sizes.effective(reference.rows, live.rows), thresholds.min_users, unit)
    return TableDrift(
        name=name,
        verdict=verdict,
        reason=small if verdict is Verdict.TOO_SMALL else table_in_words(drifted, len(columns)),
        reference_rows=reference.rows,
        live_rows=live.rows,
        reference_units=reference.units.estimate() if reference.units is not None else None,
        live_units=live.units.estimate() if live.units is not None else None,
        columns=columns,
    )


def _column(name: str, reference: ColumnSketch, live: ColumnSketch | None, sizes: _Sizes, enough: bool) -> ColumnDrift:
    kind = sketch_kind(reference)
    if not enough:
        return ColumnDrift(name, kind, Verdict.TOO_SMALL, "the window is too small to judge")
    if live is None:
        return ColumnDrift(name, kind, Verdict.DRIFTED, absent_column())
    if isinstance(reference, NumericSketch) and isinstance(live, NumericSketch):
        return _numeric(name, reference, live, sizes)
    if isinstance(reference, CategoricalSketch) and isinstance(live, CategoricalSketch):
        return _categorical(name, reference, live, sizes)
    raise FeatureError(f"column {name}: the reference is {kind}, the live sketch is {sketch_kind(live)}")


def _numeric(name: str, reference: NumericSketch, live: NumericSketch, sizes: _Sizes) -> ColumnDrift:
    measures = [_missing(reference, live, sizes)]
    if name not in AGES and sizes.enough(reference.valid, live.valid):
        n, m = sizes.effective(reference.valid, live.valid)
        _, buckets = binning.common_buckets(reference, live)
        measures.append(_psi(binning.quantile_bins(buckets, min(n, m)), n, m, sizes))
        ks_limit = max(sizes.thresholds.ks, statistics.ks_critical(n, m, sizes.alpha))
        measures.append(Measure("ks", statistics.ks(buckets.reference, buckets.live), ks_limit))
        outside_limit = max(sizes.thresholds.outside_share, statistics.outside_critical(n, m, sizes.alpha))
        measures.append(Measure("outside_share", binning.outside_share(reference, live), outside_limit))
    return _judged(name, reference, live, measures, {})


def _categorical(name: str, reference: CategoricalSketch, live: CategoricalSketch, sizes: _Sizes) -> ColumnDrift:
    measures = [_missing(reference, live, sizes)]
    named: dict[str, str] = {}
    if sizes.enough(reference.valid, live.valid):
        n, m = sizes.effective(reference.valid, live.valid)
        groups = binning.category_groups(reference, live, min(n, m))
        measures.append(_psi(groups, n, m, sizes))
        measures.append(_new(reference, live, m, sizes))
        measures.append(_vanished(reference, live, m, sizes))
        named = {
            "psi": binning.largest_move(groups),
            "new_category_share": binning.largest_new(reference, live),
            "vanished_category_share": binning.largest_vanished(reference, live, m, sizes.alpha),
        }
    return _judged(name, reference, live, measures, named)


def _new(reference: CategoricalSketch, live: CategoricalSketch, m: float, sizes: _Sizes) -> Measure:
    sampled = m if reference.named and live.named else min(m, len(live.known_at(reference.level)))
    unseen = binning.unseen_share(reference, statistics.normal_quantile(1 - sizes.alpha))
    noise = statistics.rare_share_critical(unseen, max(sampled, 1), sizes.alpha)
    limit = max(sizes.thresholds.new_category_share, min(noise, 1.0))
    return Measure("new_category_share", binning.new_category_share(reference, live), limit)


def _vanished(reference: CategoricalSketch, live: CategoricalSketch, m: float, sizes: _Sizes) -> Measure:
    share = binning.vanished_category_share(reference, live, m, sizes.alpha)
    return Measure("vanished_category_share", share, sizes.thresholds.new_category_share)


def _psi(counts: binning.PairedCounts, n: float, m: float, sizes: _Sizes) -> Measure:
    matters = sizes.thresholds.psi + statistics.psi_expectation(counts.groups, n, m)
    noise = statistics.psi_critical(counts.groups, n, m, sizes.alpha)
    return Measure("psi", statistics.psi(counts.reference, counts.live), max(matters, noise))


def _missing(reference: ColumnSketch, live: ColumnSketch, sizes: _Sizes) -> Measure:
    n, m = sizes.effective(reference.rows, live.rows)
    change = abs(_missing_share(reference) - _missing_share(live))
    pooled = (n * _missing_share(reference) + m * _missing_share(live)) / (n + m)
    noise = statistics.share_change_critical(pooled, n, m, sizes.alpha)
    return Measure("missing_share_change", change, max(sizes.thresholds.missing_share_change, noise))


def _missing_share(sketch: ColumnSketch) -> float:
    return sketch.missing / sketch.rows if sketch.rows else 0.0


def _judged(
    name: str, reference: ColumnSketch, live: ColumnSketch, measures: Iterable[Measure], named: Mapping[str, str]
) -> ColumnDrift:
    measures = tuple(measures)
    missing = _missing_share(reference), _missing_share(live)
    medians = _median(reference), _median(live)
    exceeded = [measure for measure in measures if measure.exceeded]
    return ColumnDrift(
        column=name,
        kind=sketch_kind(reference),
        verdict=Verdict.DRIFTED if exceeded else Verdict.STABLE,
        reason=drift_in_words(exceeded, missing, medians, named) if exceeded else "within its limits",
        measures=measures,
        reference_missing=missing[0],
        live_missing=missing[1],
        reference_median=medians[0],
        live_median=medians[1],
    )


def _median(sketch: ColumnSketch) -> float | None:
    return sketch.quantile(0.5) if isinstance(sketch, NumericSketch) else None
