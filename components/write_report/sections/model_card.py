"""The model card: what the ranker learned from, with which parameters, and what it relies on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.contracts.steps.facts import ExamplesFacts, ImpressionFacts, PublicationFacts, SplitFacts, TrainingFacts
from components.shop.settings import Shop
from components.write_report import formats
from components.write_report.facts import read_facts, step_facts
from components.write_report.plots import LinePlot, line_plot
from components.write_report.run_outline import Records

MAX_GAINS = 20
Pairs = Iterator[tuple[str, str]]
_SPLITS = {"train": "Learned from", "validation": "Tuned on", "heldout": "Judged on"}


@dataclass(frozen=True)
class Share:
    """A named share; ``width`` is in percent of the largest one."""

    name: str
    share: float
    width: float


@dataclass(frozen=True)
class SplitSize:
    """One split of the ranking examples; ``held`` is the share of wanted items that are among the candidates."""

    name: str
    requests: int | None
    rows: int | None
    held: float | None


@dataclass(frozen=True)
class ModelCard:
    """What a reader needs to trust, question or repeat the model; ``baseline`` stands in when none was trained."""

    facts: tuple[tuple[str, str], ...]
    splits: tuple[SplitSize, ...]
    sources: tuple[Share, ...]
    parameters: tuple[tuple[str, str], ...]
    curve: LinePlot | None
    rounds: tuple[tuple[str, int], ...]
    gains: tuple[Share, ...]
    features: int
    window: str | None
    baseline: str | None
    shortfall: str | None

    @property
    def trees(self) -> int:
        """Return the number of trees of all parts of the model."""
        return sum(count for _, count in self.rounds)


def model_card(records: Records, shop: Shop) -> ModelCard | None:
    """Gather what building examples, training and sealing recorded; None when none of them ran."""
    examples = step_facts(records, "build_training_set", ExamplesFacts)
    training = _training(records)
    if examples is None and training is None:
        return None
    examples = examples or ExamplesFacts()
    window = _window(training, shop)
    return ModelCard(
        facts=(
            *(_learned_from(training, window) if training else ()),
            *(_logged(examples.impressions) if examples.impressions else ()),
            *(_validation(training, shop.k) if training else ()),
            *_identity(records, training),
        ),
        splits=tuple(_split(name, split) for name, split in examples.splits.items()),
        sources=_sources(examples),
        parameters=tuple((name, _parameter(value)) for name, value in _optional(training, "parameters").items()),
        curve=_curve(training) if training else None,
        rounds=_rounds(training),
        gains=_shares(_optional(training, "importance"))[:MAX_GAINS],
        features=training.features if training else 0,
        window=window,
        baseline=training.baseline if training else None,
        shortfall=(training and training.reason) or examples.shortfall,
    )


def _training(records: Records) -> TrainingFacts | None:
    """Return the facts of training: the step's own, or those that the bundle's card repeats."""
    if trained := step_facts(records, "train_ranker", TrainingFacts):
        return trained
    published = step_facts(records, "publish_bundle", PublicationFacts)
    return read_facts(TrainingFacts, published.training) if published else None


def _window(training: TrainingFacts | None, shop: Shop) -> str | None:
    end = formats.in_zone(training.train_end, shop.zone) if training else None
    return f"history up to {formats.day(end)}" if end else None


def _optional(training: TrainingFacts | None, name: str) -> dict[str, Any]:
    """Return a mapping of the facts that only a trained ranker has; empty without it."""
    return (training and getattr(training, name)) or {}


def _rounds(training: TrainingFacts | None) -> tuple[tuple[str, int], ...]:
    return tuple((name, rounds) for name, rounds in _optional(training, "rounds").items() if rounds)


def _learned_from(training: TrainingFacts, window: str | None) -> Pairs:
    yield from _given("Window", window)
    if training.train_requests:
        rows = f", {formats.count(training.train_rows)} rows" if training.train_rows else ""
        yield _SPLITS["train"], f"{formats.count(training.train_requests)} requests{rows}"
    if training.validation_requests:
        yield _SPLITS["validation"], f"{formats.count(training.validation_requests)} requests"


def _logged(impressions: ImpressionFacts) -> Pairs:
    """Describe the requests that the shop logged in the training window."""
    used, rows = impressions.requests, impressions.rows
    yield "Logged requests", f"{formats.count(impressions.found)} in the window, {formats.count(used)} learned from"
    if used and rows:
        served = formats.share(impressions.rows_as_served / rows)
        yield "Logged rows", f"{formats.count(rows)}, {served} with the features as they were served"


def _split(name: str, split: SplitFacts) -> SplitSize:
    return SplitSize(_SPLITS.get(name, formats.title(name)), split.requests, split.rows, split.recall.candidates)


def _sources(examples: ExamplesFacts) -> tuple[Share, ...]:
    """Return the share of the wanted items that each candidate source finds in the held-out weeks, best first."""
    heldout = examples.splits.get("heldout")
    return _shares(heldout.recall.by_source) if heldout else ()


def _shares(shares: Mapping[str, float]) -> tuple[Share, ...]:
    ordered = sorted(((name, share) for name, share in shares.items() if share), key=lambda each: -each[1])
    return tuple(Share(name, share, round(100 * share / ordered[0][1], 2)) for name, share in ordered)


def _validation(training: TrainingFacts, k: int) -> Pairs:
    baselines = [score for score in training.validation_baselines.values() if score]
    best = f" (best simple rule {formats.score(max(baselines))})" if baselines else ""
    if training.validation_ndcg is not None:
        yield f"NDCG@{k} on the validation weeks", f"{formats.score(training.validation_ndcg)}{best}"


def _identity(records: Records, training: TrainingFacts | None) -> Pairs:
    rounds = [f"{count} ({name})" for name, count in _optional(training, "rounds").items()]
    yield from _given("Trees", ", ".join(rounds))
    yield from _given("Features", str(training.features) if training else None)
    for step in ("publish_bundle", "train_ranker"):
        handle = records[step].handles.get("bundle") if step in records else None
        if handle is not None:
            yield from _given("Bundle", formats.short_digest(handle.digest))
            versions = ", ".join(f"{table} {version}" for table, version in handle.versions.items())
            yield from _given("Data versions", versions)
            return


def _given(name: str, value: str | None) -> Pairs:
    if value:
        yield name, value


def _parameter(value: object) -> str:
    return formats.number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _curve(training: TrainingFacts) -> LinePlot | None:
    lines = sorted((training.curve or {}).items(), key=lambda line: line[0] != "rank")
    return line_plot([(name, tuple(scores)) for name, scores in lines], formats.score, dict(_rounds(training)))
