"""The report's first sentence: the result of the run, the reason, and what to do next."""

from dataclasses import dataclass
from typing import Literal

from components.contracts.steps.facts import PromotionFacts
from components.contracts.verdict import Verdict
from components.write_report import formats
from components.write_report.run_outline import StepOutcome
from components.write_report.sections.quality import label

Tone = Literal["good", "held", "bad"]


@dataclass(frozen=True)
class Headline:
    """A conclusion in words; ``tone`` colours it, an icon and the words say the same."""

    tone: Tone
    conclusion: str
    why: str
    next_step: str
    details: tuple[str, ...] = ()
    aside: str = ""


def failure_headline(failed: StepOutcome | None, log: str) -> Headline:
    """Say what failed, in which step, and what to do."""
    if failed is None:
        why = "The run ended before a step could say what happened."
        return Headline("bad", "The run did not finish", why, f"Read {log}, then run it again; nothing live changed.")
    conclusion = f"The run stopped at “{formats.title(failed.name)}”"
    error = failed.error or "The step left no message."
    if error.startswith("unexpected "):
        next_step = f"This is a fault in the program rather than in the data. {log} holds the details; report it."
    else:
        next_step = "Do what the message says, then run it again. What is live has not changed."
    return Headline("bad", conclusion, error, next_step)


def verdict_headline(verdict: Verdict, margin: str, promotion: PromotionFacts | None, stand_in: str | None) -> Headline:
    """Return whether the new ranker goes live.

    ``margin`` is its lead over the best simple rule, in words; ``stand_in`` is the simple rule that was sealed because
    there was too little to train on.
    """
    refused = tuple(formats.sentence(check.reason) for check in verdict.checks if not check.passed)
    if stand_in and not verdict.promote:
        return Headline("held", "Nothing new goes live", " ".join(refused), _without_evidence(verdict), (), margin)
    if stand_in or verdict.contender("challenger") is None:
        reasons = " ".join(formats.sentence(reason) for reason in verdict.reasons)
        return Headline("held", "No new ranker this time", reasons, "Run again when more data has come in.")
    if not verdict.promote:
        conditions = f"{len(refused)} of the gate's {len(verdict.checks)} conditions {_hold(len(refused))}:"
        return Headline("held", "Keep what is live", conditions, "Nothing live has changed.", refused, margin)
    next_step = formats.sentence(_after_promotion(promotion))
    return Headline("good", "The new ranker deserves to go live", margin, next_step)


def _after_promotion(promotion: PromotionFacts | None) -> str:
    if promotion is not None and promotion.moved:
        return f"It is live now in “{promotion.environment}”; “rankloop rollback” takes it back."
    return (promotion and promotion.reason) or "“rankloop promote” makes it live."


def _without_evidence(verdict: Verdict) -> str:
    """Return what to do about a simple rule that may not go live."""
    if all(check.passed for check in verdict.checks if check.name != "enough_data"):
        return "Run again when more data has come in."
    return "Do what the reason says, then run again. What is live has not changed."


def _hold(conditions: int) -> str:
    return "does not hold" if conditions == 1 else "do not hold"


def undecided_headline(trained: bool) -> Headline:
    """Say that a run ended well without a verdict."""
    why = "A ranker was trained but not judged." if trained else "No ranker was trained in this run."
    return Headline("held", "Nothing to decide", why, "What is live has not changed.")


def margin_in_words(verdict: Verdict, k: int, confidence: float) -> str:
    """Compare the challenger with the best baseline in one sentence; empty when there is no challenger."""
    challenger, best = verdict.contender("challenger"), verdict.contender(verdict.best_baseline or "")
    if challenger is None:
        return ""
    if best is None or best.ndcg.mean <= 0:
        return f"Its lists reach an NDCG@{k} of {formats.score(challenger.ndcg.mean)}."
    ratio = challenger.ndcg.mean / best.ndcg.mean - 1
    sentence = (
        f"Its lists are {formats.share(abs(ratio))} {'better' if ratio >= 0 else 'worse'} than the best simple rule, "
        f"“{label(best.name).lower()}”: NDCG@{k} {formats.score(challenger.ndcg.mean)} "
        f"against {formats.score(best.ndcg.mean)}."
    )
    comparison = next((each for each in verdict.comparisons if each.against == best.name and not each.slice), None)
    if comparison is None:
        return sentence
    bounds = f"{formats.difference(comparison.difference.low)} and {formats.difference(comparison.difference.high)}"
    certainty = f"{formats.number(100 * confidence)}{formats.NARROW}%"
    return f"{sentence} The difference lies between {bounds} with {certainty} confidence."
