"""The section on features: a small picture of each feature's distribution."""

from dataclasses import dataclass

from components.write_report import formats
from components.write_report.facts import Facts, facts_of
from components.write_report.plots import Columns, columns
from components.write_report.run_outline import Records

NOT_SHOWN = frozenset({"snapshot_day"})  # the same for every row


@dataclass(frozen=True)
class FeatureCard:
    """One feature: its distribution and the numbers under it; the bars span its middle 98 %."""

    name: str
    missing: float | None
    median: float | None
    bars: Columns | None


@dataclass(frozen=True)
class ViewCards:
    """The features of one view, on its newest day."""

    name: str
    entities: int | None
    cards: tuple[FeatureCard, ...]


@dataclass(frozen=True)
class FeatureGallery:
    """All features by view, and how many days were built."""

    views: tuple[ViewCards, ...]
    days: int
    computed: int

    @property
    def features(self) -> int:
        """Number of features shown."""
        return sum(len(view.cards) for view in self.views)


def feature_gallery(records: Records) -> FeatureGallery | None:
    """Gather the distributions that feature building recorded; None when there are none."""
    facts = facts_of(records, "build_features")
    views = tuple(_view(each) for each in facts.children("views"))
    views = tuple(view for view in views if view.cards)
    return FeatureGallery(views, len(facts.texts("days")), len(facts.texts("computed"))) if views else None


def _view(found: Facts) -> ViewCards:
    cards = tuple(_card(each) for each in found.children("distributions") if each.text("name") not in NOT_SHOWN)
    return ViewCards(found.text("name") or "", found.count("entities"), cards)


def _card(found: Facts) -> FeatureCard:
    histogram = found.child("histogram")
    return FeatureCard(
        name=found.text("name") or "",
        missing=found.number("missing"),
        median=found.child("quantiles").number("50%"),
        bars=_bars(histogram.numbers("edges"), histogram.numbers("counts")),
    )


def _bars(edges: tuple[float, ...], counts: tuple[float, ...]) -> Columns | None:
    if not counts or len(edges) != len(counts) + 1:
        return None
    labels = [
        f"{formats.number(low)} to {formats.number(high)}: {formats.count(rows)} rows"
        for low, high, rows in zip(edges, edges[1:], counts, strict=False)
    ]
    drawn = columns(counts, labels, formats.count, gap=0.08)
    return drawn and Columns(drawn.axis, drawn.bars, formats.number(edges[0]), formats.number(edges[-1]))
