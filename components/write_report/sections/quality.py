"""The section on quality: every contender's scores side by side, with intervals, overall and by slice."""

from dataclasses import dataclass
from math import isfinite
from zoneinfo import ZoneInfo

from components.contracts.score_names import CONTENDERS, MEASURES, SLICES
from components.contracts.steps.facts import EvaluationFacts, TrainingFacts
from components.contracts.verdict import Comparison, Contender, Verdict
from components.shop.settings import Shop
from components.write_report import formats
from components.write_report.facts import step_facts
from components.write_report.plots import Axis, DotPlot, dot_plot, interval_axis
from components.write_report.run_outline import Records

_LEAD = {"challenger": 0, "champion": 1}
_SHARES = frozenset({"hit_rate", "recall", "precision", "coverage"})


@dataclass(frozen=True)
class Cell:
    """One measure of one contender; ``best`` marks the largest of its column."""

    value: str
    interval: str | None
    best: bool


@dataclass(frozen=True)
class Row:
    """One contender's measures, in the order of ``Quality.measures``."""

    label: str
    role: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Slice:
    """One named group of users: everybody's NDCG in it."""

    name: str
    users: int | None
    lead: str | None
    plot: DotPlot | None


@dataclass(frozen=True)
class Week:
    """One held-out week: NDCG of the contenders that matter, in the order of ``Quality.week_columns``."""

    start: str
    scores: tuple[str, ...]
    lead: str


@dataclass(frozen=True)
class Quality:
    """The contenders' scores on the same held-out requests."""

    plot: DotPlot
    differences: DotPlot | None
    measures: tuple[str, ...]
    rows: tuple[Row, ...]
    slices: tuple[Slice, ...]
    week_columns: tuple[str, ...]
    weeks: tuple[Week, ...]
    set_aside: str | None
    sizes: tuple[tuple[str, str], ...]

    @property
    def roles(self) -> frozenset[str]:
        """Return the roles that the plot shows."""
        return frozenset(dot.role for dot in self.plot.dots)


def quality(verdict: Verdict | None, records: Records, shop: Shop) -> Quality | None:
    """Gather the contenders' scores; None before anything was judged."""
    if verdict is None:
        return None
    evaluation = step_facts(records, "evaluate_ranker", EvaluationFacts)
    training = step_facts(records, "train_ranker", TrainingFacts)
    has_ranker = training is None or training.baseline is None
    scored = [each for each in verdict.contenders if has_ranker or each.name != "challenger"]
    contenders = sorted(scored, key=lambda each: (_LEAD.get(each.name, 2), -each.ndcg.mean))
    plot = dot_plot([(label(c.name), role(c, verdict), c.ndcg) for c in contenders], formats.score)
    if plot is None:
        return None
    keys = _measured(contenders)
    return Quality(
        plot=plot,
        differences=_differences(verdict),
        measures=tuple(MEASURES.get(key, formats.title(key)).format(k=shop.k) for key in keys),
        rows=_rows(contenders, keys, verdict),
        slices=_slices(contenders, verdict),
        week_columns=tuple(label(each.name) for each in compared(contenders, verdict)),
        weeks=_weeks(_week_scores(evaluation), contenders, verdict, shop.zone),
        set_aside=verdict.set_aside,
        sizes=_sizes(evaluation),
    )


def label(name: str) -> str:
    """Return a contender's name as people say it."""
    return CONTENDERS.get(name, formats.title(name))


def role(contender: Contender, verdict: Verdict) -> str:
    """Return challenger, champion, best (the best baseline) or baseline."""
    if contender.name in _LEAD:
        return contender.name
    return "best" if contender.name == verdict.best_baseline else "baseline"


def _measured(contenders: list[Contender]) -> list[str]:
    keys = dict.fromkeys(key for contender in contenders for key in contender.metrics)
    known = [key for key in MEASURES if key in keys and key != "ndcg"]
    return ["ndcg", *known, *(key for key in keys if key not in MEASURES and not _is_ndcg(key))]


def _is_ndcg(key: str) -> bool:
    return key.startswith("ndcg")


def _rows(contenders: list[Contender], keys: list[str], verdict: Verdict) -> tuple[Row, ...]:
    highest = {key: max((_value(each, key) for each in contenders), default=0.0) for key in keys}
    return tuple(
        Row(label(each.name), role(each, verdict), tuple(_cell(each, key, highest[key]) for key in keys))
        for each in contenders
    )


def _value(contender: Contender, key: str) -> float:
    return contender.ndcg.mean if key == "ndcg" else contender.metrics.get(key, float("-inf"))


def _cell(contender: Contender, key: str, highest: float) -> Cell:
    value = _value(contender, key)
    written = formats.share if key in _SHARES else formats.number if key == "novelty" else formats.score
    bounds = contender.ndcg if key == "ndcg" else contender.intervals.get(key)
    interval = f"{written(bounds.low)} to {written(bounds.high)}" if bounds else None
    return Cell(written(value), interval, best=value == highest and value > 0)


def _differences(verdict: Verdict) -> DotPlot | None:
    """Return the challenger's paired differences from the champion and the best baseline, with zero on the axis."""
    differences = [
        (f"over {label(each.against).lower()}", "challenger", each.difference)
        for each in verdict.comparisons
        if each.slice is None and each.against in ("champion", verdict.best_baseline)
    ]
    if not differences:
        return None
    axis = interval_axis((each for _, _, each in differences), formats.difference, True)
    return dot_plot(differences, formats.difference, axis)


def _slices(contenders: list[Contender], verdict: Verdict) -> tuple[Slice, ...]:
    """Return every slice on one shared axis, so that slices can be compared with one another too."""
    shown = compared(contenders, verdict)
    scores = [score for each in shown for score in each.slices.values() if isfinite(score.mean)]
    if not scores:
        return ()
    scale = interval_axis(scores, formats.score)
    names = sorted({name for each in shown for name in each.slices}, key=_slice_order)
    return tuple(_slice(name, shown, verdict, scale) for name in names)


def _slice(name: str, shown: list[Contender], verdict: Verdict, scale: Axis) -> Slice:
    dots = [(label(each.name), role(each, verdict), each.slices[name]) for each in shown if name in each.slices]
    users = next((each.slice_users[name] for each in shown if name in each.slice_users), None)
    comparison = next((each for each in verdict.comparisons if each.slice == name), None)
    return Slice(
        SLICES.get(name, formats.title(name)),
        users,
        _lead(comparison) if comparison else None,
        dot_plot(dots, formats.score, scale),
    )


def _slice_order(name: str) -> tuple[int, str]:
    known = list(SLICES)
    return (known.index(name) if name in known else len(known), name)


def _lead(comparison: Comparison) -> str:
    difference = comparison.difference
    mean, low, high = (formats.difference(each) for each in (difference.mean, difference.low, difference.high))
    return f"over {label(comparison.against).lower()}: {mean} ({low} to {high})"


def _week_scores(evaluation: EvaluationFacts | None) -> dict[str, dict[str, float]]:
    return (evaluation and evaluation.weeks) or {}


def _weeks(
    weeks: dict[str, dict[str, float]], contenders: list[Contender], verdict: Verdict, zone: ZoneInfo
) -> tuple[Week, ...]:
    """Return the scores of each held-out week, and the challenger's lead over the best baseline in it."""
    names = [each.name for each in compared(contenders, verdict)]
    return tuple(
        Week(
            formats.day(formats.in_zone(start, zone)),
            tuple(formats.score(scores.get(name)) for name in names),
            _week_lead(scores.get("challenger"), scores.get(verdict.best_baseline or "")),
        )
        for start, scores in weeks.items()
    )


def _week_lead(challenger: float | None, best: float | None) -> str:
    return formats.change(challenger / best - 1) if challenger is not None and best else formats.ABSENT


def compared(contenders: list[Contender], verdict: Verdict) -> list[Contender]:
    """Return the challenger, the champion and the best baseline."""
    return [each for each in contenders if role(each, verdict) != "baseline"]


def _sizes(evaluation: EvaluationFacts | None) -> tuple[tuple[str, str], ...]:
    if evaluation is None:
        return ()
    sizes = [
        ("requests", evaluation.heldout_requests),
        ("customers", evaluation.heldout_users),
        ("held-out weeks", len(evaluation.weeks or ()) or None),
    ]
    return tuple((words, formats.count(size)) for words, size in sizes if size is not None)
