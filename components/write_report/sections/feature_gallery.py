"""The section on features: a small picture of each feature's distribution."""

from dataclasses import dataclass

from components.contracts.steps.facts import ColumnFacts, FeatureFacts, ViewFacts
from components.write_report import formats
from components.write_report.facts import step_facts
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
        """Return the number of features shown."""
        return sum(len(view.cards) for view in self.views)


def feature_gallery(records: Records) -> FeatureGallery | None:
    """Gather the distributions that feature building recorded; None when there are none."""
    features = step_facts(records, "build_features", FeatureFacts)
    if features is None:
        return None
    views = tuple(_view(name, view) for name, view in features.views.items())
    views = tuple(view for view in views if view.cards)
    return FeatureGallery(views, len(features.days), len(features.computed)) if views else None


def _view(name: str, view: ViewFacts) -> ViewCards:
    cards = tuple(_card(column, facts) for column, facts in view.distributions.items() if column not in NOT_SHOWN)
    return ViewCards(name, view.entities, cards)


def _card(name: str, column: ColumnFacts) -> FeatureCard:
    histogram = column.histogram
    return FeatureCard(
        name=name,
        missing=column.missing,
        median=column.quantiles.get("50%"),
        bars=_bars(histogram.edges, histogram.counts) if histogram else None,
    )


def _bars(edges: list[float], counts: list[int]) -> Columns | None:
    if not counts or len(edges) != len(counts) + 1:
        return None
    labels = [
        f"{formats.number(low)} to {formats.number(high)}: {formats.count(rows)} rows"
        for low, high, rows in zip(edges, edges[1:], counts, strict=False)
    ]
    drawn = columns(counts, labels, formats.count, gap=0.08)
    return drawn and Columns(drawn.axis, drawn.bars, formats.number(edges[0]), formats.number(edges[-1]))
