"""The three answers on top: what came in, what was learned, and whether it deserves to go live."""

from dataclasses import dataclass

from components.contracts.verdict import Verdict
from components.write_report import formats
from components.write_report.sections.data_quality import DataQuality
from components.write_report.sections.model_card import ModelCard
from components.write_report.sections.quality import label


@dataclass(frozen=True)
class Answer:
    """A question, its answer in a few words, and a sentence that supports it."""

    question: str
    short: str
    support: str


def what_came_in(data: DataQuality | None) -> Answer:
    """Say how much is new and how much of it could not be used."""
    question = "What came in"
    if data is None:
        return Answer(question, "Nothing read", "The run ended before any data was read.")
    events = data.events
    if events is None or events.new is None:
        return Answer(question, "Data were read", "How much of them is new was not recorded.")
    known = [
        f"{formats.count(size)} {words}" for size, words in ((data.users, "customers"), (data.items, "items")) if size
    ]
    about = f" {' and '.join(known)} are known." if known else ""
    if not events.new:
        return Answer(question, "Nothing new", f"The sources hold no event that was not known before.{about}")
    aside = events.quarantined or 0
    kept = (
        f"{formats.count(aside)} of them were set aside ({formats.share(aside / events.new)})"
        if aside
        else "all usable"
    )
    return Answer(question, f"{formats.count(events.new)} new events", f"{formats.sentence(kept)}{about}")


def what_was_learned(card: ModelCard | None) -> Answer:
    """Say what the model was built from and what it relies on."""
    question = "What was learned"
    if card is None:
        return Answer(question, "Nothing yet", "The run ended before a ranker was trained.")
    if card.shortfall:
        return Answer(question, "Too little to learn from", formats.sentence(card.shortfall))
    if not card.gains:
        return Answer(question, "No ranker", "Ranking examples were built, but no ranker was trained on them.")
    first = card.gains[0]
    support = f"It relies most on “{formats.words(first.name)}” ({formats.share(first.share)} of its gain)"
    window = f". Learned from {card.window}." if card.window else "."
    return Answer(question, f"{card.features} signals, {card.trees} trees", support + window)


def does_it_deserve(verdict: Verdict | None, stand_in: str | None) -> Answer:
    """Say by how much the challenger leads and how many of the gate's checks it passed."""
    question = "Does it deserve to go live"
    if verdict is None:
        return Answer(question, "Not judged", "The run has no verdict, so nothing live may change.")
    passed = sum(check.passed for check in verdict.checks)
    checks = f"{passed} of {len(verdict.checks)} checks of the gate passed."
    challenger, best = verdict.contender("challenger"), verdict.contender(verdict.best_baseline or "")
    answer = "Yes" if verdict.promote else "No"
    if stand_in:
        rule = f"The simple rule “{label(stand_in).lower()}”"
        stands = f"{rule} stands in." if verdict.promote else f"{rule} may not stand in. {checks}"
        return Answer(question, "Nothing new to judge" if verdict.promote else answer, stands)
    if challenger is None or best is None or best.ndcg.mean <= 0:
        return Answer(question, answer, checks)
    lead = formats.change(challenger.ndcg.mean / best.ndcg.mean - 1)
    return Answer(question, answer, f"{lead} against “{label(best.name).lower()}”. {checks}")
