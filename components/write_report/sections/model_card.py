"""The model card: what the ranker learned from, with which parameters, and what it relies on."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.shop.settings import Shop
from components.write_report import formats
from components.write_report.facts import Facts, as_number, facts_of
from components.write_report.plots import LinePlot, line_plot
from components.write_report.run_outline import Records

MOST_GAINS = 20
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
        """Number of trees of all parts of the model."""
        return sum(count for _, count in self.rounds)


def model_card(records: Records, shop: Shop) -> ModelCard | None:
    """Gather what building examples, training and sealing recorded; None when none of them ran."""
    examples = facts_of(records, "build_training_set")
    trained = facts_of(records, "train_ranker") or facts_of(records, "publish_bundle").child("training")
    if not (examples or trained):
        return None
    rounds = tuple((name, int(each)) for name, each in trained.child("rounds").items() if as_number(each))
    end = formats.in_zone(trained.text("train_end"), shop.zone)
    window = f"history up to {formats.day(end)}" if end else None
    return ModelCard(
        facts=(
            *_learned_from(trained, window),
            *_logged(examples.child("impressions")),
            *_validation(trained, shop.k),
            *_identity(records, trained),
        ),
        splits=tuple(_split(each) for each in examples.children("splits")),
        sources=_sources(examples),
        parameters=tuple((name, _parameter(value)) for name, value in trained.child("parameters").items()),
        curve=_curve(trained, rounds),
        rounds=rounds,
        gains=_gains(trained),
        features=trained.count("features") or 0,
        window=window,
        baseline=trained.text("baseline"),
        shortfall=trained.text("reason") or examples.text("shortfall"),
    )


def _learned_from(trained: Facts, window: str | None) -> Pairs:
    yield from _given("Window", window)
    for part in ("train", "validation"):
        requests, rows = trained.number(f"{part}_requests"), trained.number(f"{part}_rows")
        size = f"{formats.count(requests)} requests" + (f", {formats.count(rows)} rows" if rows else "")
        yield from _given(_SPLITS[part], size if requests else None)


def _logged(impressions: Facts) -> Pairs:
    """Tell of the requests that the shop logged in the training window, if it logs any."""
    found, used, rows = (impressions.number(key) for key in ("found", "requests", "rows"))
    if found is None:
        return
    yield "Logged requests", f"{formats.count(found)} in the window, {formats.count(used)} learned from"
    if used and rows:
        served = formats.share((impressions.number("rows_as_served") or 0) / rows)
        yield "Logged rows", f"{formats.count(rows)}, {served} with the features as they were served"


def _split(found: Facts) -> SplitSize:
    name = found.text("name") or ""
    held = found.child("recall").number("candidates")
    return SplitSize(_SPLITS.get(name, formats.title(name)), found.count("requests"), found.count("rows"), held)


def _sources(examples: Facts) -> tuple[Share, ...]:
    """Return how many of the wanted items each candidate source finds in the held-out weeks, best first."""
    by_source = examples.child("splits").child("heldout").child("recall").child("by_source")
    return _shares([(name, value) for name, each in by_source.items() if (value := as_number(each))])


def _shares(found: list[tuple[str, float]]) -> tuple[Share, ...]:
    found = sorted(found, key=lambda each: -each[1])
    return tuple(Share(name, value, round(100 * value / found[0][1], 2)) for name, value in found)


def _validation(trained: Facts, k: int) -> Pairs:
    baselines = [value for _, each in trained.child("validation_baselines").items() if (value := as_number(each))]
    beside = f" (best simple rule {formats.score(max(baselines))})" if baselines else ""
    own = trained.number("validation_ndcg")
    yield from _given(f"NDCG@{k} on the validation weeks", f"{formats.score(own)}{beside}" if own is not None else None)


def _identity(records: Records, trained: Facts) -> Pairs:
    rounds = [f"{each} ({name})" for name, each in trained.child("rounds").items()]
    yield from _given("Trees", ", ".join(rounds))
    yield from _given("Features", trained.text("features"))
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
    found = as_number(value)
    return str(value) if found is None else formats.number(found)


def _curve(trained: Facts, rounds: tuple[tuple[str, int], ...]) -> LinePlot | None:
    curve = trained.child("curve")
    names = sorted((name for name, _ in curve.items()), key=lambda name: name != "rank")
    return line_plot([(name, curve.numbers(name)) for name in names], formats.score, dict(rounds))


def _gains(trained: Facts) -> tuple[Share, ...]:
    """Return the features with the largest shares of gain."""
    shares = [(name, gain) for name, each in trained.child("importance").items() if (gain := as_number(each))]
    return _shares(shares)[:MOST_GAINS]
