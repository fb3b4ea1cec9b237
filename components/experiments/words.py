"""The meaning of a readout's figures, in words."""

from collections.abc import Iterator
from typing import Any

from components.experiments.statistics import MIN_USERS

Document = dict[str, Any]
MEASURES = {
    "click_through_rate": "click-through rate",
    "conversion_rate": "conversion rate",
    "mean_reciprocal_rank": "mean reciprocal rank of the first click",
}


def reasons(document: Document) -> list[str]:
    """Say what the figures of a readout mean, the most serious first."""
    if not document["lists"]:
        return [f"nothing was answered under the experiment {document['experiment']} yet; there is nothing to tell"]
    ratio = document["sample_ratio"]
    compared = [] if ratio["mismatch"] else [*_lifts(document), *_fallbacks(document)]
    return [
        *_ratio(ratio),
        *_strangers(document),
        *_bundles(document),
        *compared,
        *_shadow(document["shadow"]),
        *_caution(document),
    ]


def _told(lift: Document) -> tuple[float, tuple[float, float], str]:
    """Return a lift as a share of the champion's rate or, where that is nothing, as a difference."""
    if lift["relative"] is not None:
        return lift["relative"], lift["relative_ci95"], "+.1%"
    return lift["difference"], lift["difference_ci95"], "+.4f"


def span(ends: tuple[float, float], digits: str) -> str:
    """Write an interval."""
    return f"{ends[0]:{digits}} to {ends[1]:{digits}}"


def _ratio(ratio: Document) -> Iterator[str]:
    counts = ", ".join(f"{arm} {count:,}" for arm, count in ratio["users"].items())
    promised = ", ".join(f"{arm} {count:,.0f}" for arm, count in ratio["expected"].items())
    if ratio["mismatch"]:
        yield (
            f"THE EXPERIMENT CANNOT BE TRUSTED: found users {counts}, where the shares promise {promised}; chance does"
            f" that with p = {ratio['p_value']:.1g}. Shares that changed under the same name, an arm that failed, lost"
            " lists and robots do it too: fix that, and start again under another name"
        )
    elif ratio["p_value"] is not None:
        yield f"the users are spread as the shares promise (p = {ratio['p_value']:.2f}): {counts}"
    elif len(ratio["users"]) > 1:
        yield f"too few users to tell whether the shares are kept: {counts}"


def _strangers(document: Document) -> Iterator[str]:
    for name, arm in document["arms"].items():
        if arm["share"] is None:
            yield f"{name} was shown, but the file gives it no share: a changed experiment needs a new name"
    several = document["users_of_several_arms"]
    if several:
        yield f"{several:,} users saw more than one arm and are left out; a changed share needs a new name"


def _bundles(document: Document) -> Iterator[str]:
    ranked = {name: arm["bundles"] for name, arm in document["arms"].items()}
    for name, bundles in ranked.items():
        if len(bundles) > 1:
            yield f"{name} was ranked by {len(bundles)} bundles, one after another; its figures are of all of them"
        if name != "champion" and bundles and bundles == ranked.get("champion"):
            yield f"{name} was ranked by the champion's bundle: there is no difference to be found"


def _lifts(document: Document) -> Iterator[str]:
    champion = document["arms"]["champion"]["users"]
    for name, arm in document["arms"].items():
        if name == "champion":
            continue
        if not arm["lift"] or any(lift["sign"] == "too_small" for lift in arm["lift"].values()):
            yield (
                f"{name}: too little to tell: found {arm['users']:,} users beside {champion:,} of the champion,"
                f" expected {MIN_USERS} of each or more"
            )
            continue
        yield from (f"{name}: {words} {_lift(arm['lift'][measure])}" for measure, words in MEASURES.items())


def _lift(lift: Document) -> str:
    value, ends, unit = _told(lift)
    if lift["sign"] == "unclear":
        interval = f"the 95 % interval, {span(ends, unit)}, holds zero"
        return f"cannot be distinguished from the champion's: {value:{unit}}, but {interval}"
    return f"is {lift['sign']} than the champion's: {value:{unit}} (95 % interval {span(ends, unit)})"


def _fallbacks(document: Document) -> Iterator[str]:
    for name, arm in document["arms"].items():
        lift = arm["lift"].get("fallback_share")
        if lift and lift["sign"] in ("higher", "lower"):
            yield (
                f"{name} fell back {'more' if lift['sign'] == 'higher' else 'less'} often than the champion; lists that"
                " fell back are reported separately, so the others are not quite of the same kind"
            )


def _shadow(shadow: Document | None) -> Iterator[str]:
    if shadow is None:
        return
    overlap, order = shadow["overlap"]["value"], shadow["rank_correlation"]["value"]
    agreement = "" if order is None else f", in orders that correlate by {order:+.2f}"
    if overlap is not None:
        yield f"shadow {shadow['arm']}: {shadow['lists']:,} lists share {overlap:.0%} of their items with it{agreement}"
    if shadow["clicks"]:
        where = ", ".join(f"{shadow[way]['value']:.0%} {way}" for way in ("higher", "same", "lower", "missing"))
        gain = shadow["reciprocal_rank_gain"]
        by = f"{gain['value']:+.3f} (95 % interval {span(gain['ci95'], '+.3f')})"
        yield (
            f"shadow {shadow['arm']}: of {shadow['clicks']:,} clicked items it had {where}; their reciprocal rank moves"
            f" by {by}; only what was shown could be clicked, so this favours the champion"
        )


def _caution(document: Document) -> Iterator[str]:
    young = document["lists_within_horizon"]
    if young:
        sizes = f"{young:,} of {document['lists']:,} lists are younger than {document['horizon_days']:g} days"
        yield f"{sizes}: clicks and purchases may still follow them"
    comparisons = len(MEASURES) * sum(bool(arm["lift"]) for arm in document["arms"].values())
    if comparisons:
        yield (
            f"{comparisons} comparisons at 95 %: without any difference, up to one in {round(20 / comparisons)}"
            " readouts still finds one, and the more so the more often it is read; name measure and day beforehand"
        )
