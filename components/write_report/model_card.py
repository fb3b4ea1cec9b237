"""The model card: what the ranker learned from, with which parameters, and what it relies on."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.write_report import formats
from components.write_report.facts import Facts, as_number, facts_of
from components.write_report.plots import LinePlot, line_plot
from components.write_report.run_outline import Records

MOST_GAINS = 20
Pairs = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Gain:
    """One feature's share of the model's total gain; ``width`` is in percent of the largest."""

    feature: str
    share: float
    width: float


@dataclass(frozen=True)
class ModelCard:
    """What a reader needs to trust, question or repeat the model; ``baseline`` stands in when none was trained."""

    facts: tuple[tuple[str, str], ...]
    parameters: tuple[tuple[str, str], ...]
    curve: LinePlot | None
    rounds: tuple[tuple[str, int], ...]
    gains: tuple[Gain, ...]
    features: int
    window: str | None
    baseline: str | None
    shortfall: str | None

    @property
    def trees(self) -> int:
        """Number of trees of all parts of the model."""
        return sum(count for _, count in self.rounds)


def model_card(records: Records, k: int) -> ModelCard | None:
    """Gather what building examples, training and sealing recorded; None when none of them ran."""
    examples, trained = facts_of(records, "build_training_set"), facts_of(records, "train_ranker")
    if not (examples or trained):
        return None
    rounds = tuple((name, int(each)) for name, each in trained.child("rounds").items() if as_number(each))
    window = _window(examples, trained)
    return ModelCard(
        facts=(
            *_learned_from(examples, trained, window),
            *_validation(trained, k),
            *_identity(records, examples, trained),
        ),
        parameters=tuple((name, _parameter(value)) for name, value in trained.child("parameters").items()),
        curve=_curve(trained, rounds),
        rounds=rounds,
        gains=_gains(trained),
        features=trained.count("features") or 0,
        window=window,
        baseline=trained.text("baseline"),
        shortfall=trained.text("reason") or examples.text("shortfall"),
    )


def _window(examples: Facts, trained: Facts) -> str | None:
    start = examples.text("train_start")
    end = trained.text("train_end") or examples.text("train_end")
    if not end:
        return None
    return f"{formats.day(start)} to {formats.day(end)}" if start else f"history up to {formats.day(end)}"


def _learned_from(examples: Facts, trained: Facts, window: str | None) -> Pairs:
    held_out = examples.text("heldout_start")
    yield from _given("Learned from", window)
    yield from _given("Judged on", f"{formats.day(held_out)} and later, unseen in training" if held_out else None)
    for part in ("train", "validation"):
        requests = trained.number(f"{part}_requests")
        rows = trained.number(f"{part}_rows")
        size = f"{formats.count(requests)} requests" + (f", {formats.count(rows)} rows" if rows else "")
        yield from _given(f"{formats.title(part)} examples", size if requests else None)
    yield from _given("Outcomes that the candidates hold", _share(examples, "candidate_recall"))


def _validation(trained: Facts, k: int) -> Pairs:
    baselines = [value for _, each in trained.child("validation_baselines").items() if (value := as_number(each))]
    beside = f" (best simple rule {formats.score(max(baselines))})" if baselines else ""
    own = trained.number("validation_ndcg")
    yield from _given(f"NDCG@{k} on the validation weeks", f"{formats.score(own)}{beside}" if own is not None else None)


def _identity(records: Records, examples: Facts, trained: Facts) -> Pairs:
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


def _share(facts: Facts, key: str) -> str | None:
    return formats.share(facts.number(key)) if key in facts else None


def _parameter(value: object) -> str:
    found = as_number(value)
    return str(value) if found is None else formats.number(found)


def _curve(trained: Facts, rounds: tuple[tuple[str, int], ...]) -> LinePlot | None:
    curve = trained.child("curve")
    names = sorted((name for name, _ in curve.items()), key=lambda name: name != "rank")
    return line_plot([(name, curve.numbers(name)) for name in names], formats.score, dict(rounds))


def _gains(trained: Facts) -> tuple[Gain, ...]:
    """Return the features with the largest shares of gain."""
    found = [(name, gain) for name, each in trained.child("importance").items() if (gain := as_number(each))]
    found.sort(key=lambda each: -each[1])
    return tuple(Gain(name, gain, round(100 * gain / found[0][1], 2)) for name, gain in found[:MOST_GAINS])
