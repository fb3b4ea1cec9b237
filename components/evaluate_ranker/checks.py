"""The gate's conditions on quality, coverage and speed: each says its numbers in words, and fails without evidence."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from components.bundles.scoring import Ranker
from components.contracts.verdict import Check, Comparison, Contender, Score
from components.evaluate_ranker.contenders import CHALLENGER, CHAMPION, Tournament
from components.evaluate_ranker.heldout import Heldout
from components.ranking.baselines import BUY_IT_AGAIN, CATALOGUE_ORDER
from components.shop.settings import Gate

TIMED_REQUESTS = 50
FEWEST_USERS = 2  # one alone shows no noise, so that any difference would be beyond it


def check_evidence(heldout: Heldout, gate: Gate) -> Check:
    """Check that there are enough held-out users to judge on."""
    users, requests = heldout.users_of(heldout.judged), int(heldout.judged.sum())
    minimum = max(gate.min_users, FEWEST_USERS)
    reason = f"{users:,} users with {requests:,} held-out requests were judged (at least {minimum:,} users needed)"
    return Check("evidence", users >= minimum, reason)


def check_hits(contender: Contender, k: int) -> Check:
    """Check that the lists hold anything that was bought."""
    mean = contender.ndcg.mean
    verb = "hold what was bought" if mean > 0 else "hold nothing that was bought"
    return Check("hits", mean > 0, f"the lists of the held-out weeks {verb}: NDCG@{k} {mean:.4f}")


def check_superiority(rival: Comparison, rules: Sequence[Comparison], k: int) -> Check:
    """Check that the challenger beats the rival beyond noise, and that none of the simple ``rules`` is ahead of it."""
    beaten, ahead = rival.difference.low > 0, [rule for rule in rules if not rule.difference.mean >= 0]
    verb = "beats" if beaten else "does not beat"
    reason = f"NDCG@{k} {verb} the best baseline, {rival.against}, beyond noise: {in_words(rival)}"
    if rival.against in BUY_IT_AGAIN:
        reason += " (of the kinds of buy-it-again, the best one on the weeks before those that judge)"
    if ahead:
        reason += f"; ahead of it: {', '.join(f'{rule.against} by {in_words(rule)}' for rule in ahead)}"
    return Check("superiority", beaten and not ahead, reason)


def no_rival(names: Sequence[str]) -> Check:
    """Say that no simple rule orders a list, so that there is nothing to be better than."""
    rules = ", ".join(name for name in names if name != CATALOGUE_ORDER)
    reason = f"no simple rule ({rules}) orders a held-out list: every candidate scores alike, so there is no rival"
    return Check("rival", False, reason)


def check_champion(comparison: Comparison, gate: Gate, k: int) -> Check:
    """Check that the challenger is not inferior to the champion."""
    allowed = -gate.champion_margin * comparison.reference
    passed = comparison.difference.low > allowed
    stood_in = f"{comparison.against}, which stands in for a champion as none can be compared"
    stands = f"the {CHAMPION}" if comparison.against == CHAMPION else stood_in
    verb = "is not inferior" if passed else "may be inferior"
    reason = f"NDCG@{k} {verb} to {stands} (a loss of {gate.champion_margin:.1%} is allowed): {in_words(comparison)}"
    return Check("non_inferiority", passed, reason)


def check_slices(comparisons: list[Comparison], gate: Gate) -> Check:
    """Check that no slice with enough users loses more than its allowance, beyond noise."""
    judged = [one for one in comparisons if one.users >= gate.min_slice_users]
    small = [f"{one.slice} ({one.users} users)" for one in comparisons if one.users < gate.min_slice_users]
    lost = [one for one in judged if _lost(one, gate)]
    too_small = f"; too few users to judge: {', '.join(small)}" if small else ""
    allowance = f"the {gate.slice_allowance:.0%} allowed"
    if lost:
        worst = "; ".join(f"{one.slice}: {in_words(one)}" for one in lost)
        return Check(
            "slices",
            False,
            f"{len(lost)} of {len(judged)} customer groups lose more than {allowance}: {worst}{too_small}",
        )
    return Check(
        "slices", True, f"none of {len(judged)} customer groups loses more than {allowance} beyond noise{too_small}"
    )


def check_coverage(tournament: Tournament, baseline: str, gate: Gate) -> Check:
    """Check that the lists still reach enough of the sold catalogue."""
    own = tournament.contender(CHALLENGER).metrics["coverage"]
    theirs = tournament.contender(baseline).metrics["coverage"]
    minimum = max(gate.min_coverage, (1 - gate.max_coverage_loss) * theirs)
    reason = (
        f"the lists show {own:.1%} of the merchandise sold in the training weeks, those of {baseline} {theirs:.1%}"
        f" (at least {minimum:.1%} needed)"
    )
    return Check("coverage", own > 0 and own >= minimum, reason)


def check_latency(
    ranker: Ranker, heldout: Heldout, gate: Gate, clock: Callable[[], float] = time.perf_counter
) -> tuple[Check, float]:
    """Time the scoring of single requests (``ranker`` on one thread); also return the median in milliseconds."""
    sizes = heldout.split.group_sizes
    filled = np.flatnonzero(sizes)
    ends = np.cumsum(sizes)
    chosen = filled[np.unique(np.linspace(0, len(filled) - 1, TIMED_REQUESTS).astype(int))]
    taken = []
    for stop, size in zip(ends[chosen], sizes[chosen], strict=True):
        features = np.asarray(heldout.split.features[stop - size : stop])
        baselines = np.asarray(heldout.split.baselines[stop - size : stop])
        started = clock()
        ranker.score(features, baselines)
        taken.append(1000 * (clock() - started))
    median = float(np.median(taken))
    reason = (
        f"scoring one request's {int(np.median(sizes[chosen]))} candidates takes {median:.1f} ms at the median"
        f" (budget {gate.latency_budget_ms:g} ms)"
    )
    return Check("latency", median <= gate.latency_budget_ms, reason), median


def in_words(comparison: Comparison) -> str:
    """Say a comparison's difference, relative where that means something."""
    difference, reference = comparison.difference, comparison.reference
    if reference <= 0:
        return f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"
    relative = Score(difference.mean / reference, difference.low / reference, difference.high / reference)
    return f"{relative.mean:+.1%} ({relative.low:+.1%} to {relative.high:+.1%})"


def _lost(comparison: Comparison, gate: Gate) -> bool:
    """Return whether a slice lost too much; without an interval there is no evidence that it did not."""
    difference = comparison.difference
    if not np.isfinite([difference.low, difference.high]).all():
        return True
    return difference.mean < -gate.slice_allowance * comparison.reference and difference.high < 0
