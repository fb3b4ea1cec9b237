"""Drift in words: short enough for an alert, with the numbers behind it."""

from collections.abc import Mapping, Sequence

from components.drift.report import Measure

_PHRASES = {
    "psi": "the distribution moved: PSI {value:.2f} (limit {limit:.2f})",
    "ks": "KS distance {value:.2f} (limit {limit:.2f})",
    "outside_share": "{value:.1%} of values lie outside the reference's range (limit {limit:.1%})",
    "new_category_share": "{value:.1%} of rows have a category that the reference does not know (limit {limit:.1%})",
    "vanished_category_share": "categories of {value:.1%} of the reference's rows vanished (limit {limit:.1%})",
}


def drift_in_words(
    exceeded: Sequence[Measure],
    missing: tuple[float, float],
    medians: tuple[float | None, float | None],
    named: Mapping[str, str],
) -> str:
    """Say what exceeded its limit; ``missing`` and ``medians`` are (reference, live).

    ``named`` says, by measure, which categories stand behind it.
    """
    names = {measure.name for measure in exceeded}
    parts = [_phrase(measure, missing) + _of(named.get(measure.name)) for measure in exceeded]
    if names & {"psi", "ks", "outside_share"} and medians[0] is not None and medians[1] is not None:
        parts.append(f"median {medians[0]:.4g} → {medians[1]:.4g}")
    return "; ".join(parts)


def too_small_in_words(reference: float, live: float, minimum: int, unit: str) -> str:
    """Say which side has too few of its units (``users``, or ``rows`` where no user was named) to judge."""
    side, count = ("live window", live) if live < minimum else ("reference", reference)
    return f"the {side} is too small to judge: {count:.0f} {unit}, at least {minimum} are needed"


def table_in_words(drifted: int, columns: int) -> str:
    """Sum up a judged table."""
    return f"{drifted} of {columns} columns drifted"


def absent_column() -> str:
    """Say that the live window has no such column."""
    return "the column is absent from the live window"


def _of(categories: str | None) -> str:
    return f": {categories}" if categories else ""


def _phrase(measure: Measure, missing: tuple[float, float]) -> str:
    if measure.name == "missing_share_change":
        return f"missing {missing[0]:.1%} → {missing[1]:.1%} (limit: a change of {measure.limit:.1%})"
    return _PHRASES[measure.name].format(value=measure.value, limit=measure.limit)
