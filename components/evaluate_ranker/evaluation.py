"""The gate: does the challenger deserve to go live? It promotes only on evidence, and says each reason in words."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.bundles.loading import Bundle, check_revision, handed_bundle, load_ranker
from components.bundles.signing.trust import Trust
from components.contracts.handles import Handle
from components.contracts.ranking_examples import ExamplesManifest, Split, read_manifest, read_split
from components.contracts.steps.declared import StepResult
from components.contracts.steps.facts import EvaluationFacts
from components.contracts.verdict import Check, Verdict, verdict_json
from components.evaluate_ranker.champion import Champion, find_champion
from components.evaluate_ranker.checks import (
    check_champion,
    check_coverage,
    check_evidence,
    check_hits,
    check_latency,
    check_slices,
    check_superiority,
    no_rival,
)
from components.evaluate_ranker.contenders import CHALLENGER, CHAMPION, Tournament, hold_tournament
from components.evaluate_ranker.future_poison import LeakProbe, probe_future
from components.evaluate_ranker.heldout import Heldout, heldout_requests
from components.evaluate_ranker.label_shuffle import check_label_shuffle
from components.evaluate_ranker.leaks import (
    check_constant_gain,
    check_future_poison,
    check_overlap,
    check_times,
)
from components.evaluate_ranker.lists import check_current_lists, check_lists, fault_of
from components.evaluate_ranker.purchases import check_purchases, count_purchases, sold_merchandise
from components.home.handed import handed_folder
from components.home.layout import Home
from components.home.storage.documents import write_document
from components.home.storage.locations import Location
from components.lake.resources import usable_processors
from components.ranking.baselines import CATALOGUE_ORDER
from components.ranking.rivals import rivals
from components.shop.settings import Shop

Say = Callable[[str], None]
Scores = dict[str, NDArray[np.floating]]
Probe = Callable[[Shop, Location, Mapping[str, int], ExamplesManifest, Split], LeakProbe | None]
Current = Callable[[Bundle, Handle], Check]


@dataclass(frozen=True)
class Case:
    """All that the gate looks at."""

    shop: Shop
    bundle: Bundle
    manifest: ExamplesManifest
    champion: Champion
    heldout: Heldout
    train: Split
    validation: Split
    clean: Location
    versions: Mapping[str, int]
    as_of: datetime
    probe: Callable[[], LeakProbe | None]
    current: Callable[[], Check]


def evaluate_ranker(
    shop: Shop,
    home: Home,
    features: Handle,
    examples: Handle,
    draft: Handle,
    environment: str,
    run_id: str,
    say: Say,
    probe: Probe = probe_future,
    current: Current = check_current_lists,
    trust: Trust | None = None,
) -> StepResult[EvaluationFacts]:
    """Judge a draft bundle on the held-out requests and write the verdict into the run's folder.

    ``probe`` recomputes features with the future poisoned, from the clean tables that the examples came from;
    ``current`` looks at a bundle's lists as they would be now, where there are no held-out ones; a champion that
    ``trust`` does not accept is set aside.

    Raises:
        BundleError: the draft is incomplete, was changed, or was made for other features than the examples hold.
    """
    case = _case(shop, home, features, examples, draft, environment, probe, current, trust)
    verdict, facts = _judge_baseline(case, say) if case.bundle.manifest.kind == "baseline" else _judge(case, say)
    place = home.run(run_id) / "evaluation" / "verdict.json"
    write_document(place, verdict_json(replace(verdict, live=case.champion.live)))
    checks = [asdict(check) for check in verdict.checks]
    handle = Handle("evaluation", str(place), examples.versions, case.bundle.digest, draft.as_of)
    return StepResult(
        handle,
        len(case.heldout.split.rows),
        len(case.heldout.relevant),
        EvaluationFacts(verdict.promote, verdict.reasons, checks, **facts),
    )


def _case(
    shop: Shop,
    home: Home,
    features: Handle,
    examples: Handle,
    draft: Handle,
    environment: str,
    probe: Probe,
    current: Current,
    trust: Trust | None,
) -> Case:
    folder = handed_folder(examples)
    manifest = read_manifest(folder)
    bundle = handed_bundle(draft)
    check_revision(bundle.manifest, manifest.feature_list, manifest.feature_revision)
    train, validation, heldout = (read_split(folder, name) for name in ("train", "validation", "heldout"))
    sold = sold_merchandise(shop, home.clean, examples.versions, examples.moment)
    return Case(
        shop=shop,
        bundle=bundle,
        manifest=manifest,
        champion=find_champion(home, shop, environment, manifest, trust),
        heldout=heldout_requests(heldout, train, shop.k, sold),
        train=train,
        validation=validation,
        clean=home.clean,
        versions=examples.versions,
        as_of=examples.moment,
        probe=lambda: probe(shop, home.clean, examples.versions, manifest, heldout),
        current=lambda: current(bundle, features),
    )


def _judge(case: Case, say: Say) -> tuple[Verdict, dict[str, Any]]:
    evidence = check_evidence(case.heldout, case.shop.gate)
    if not case.heldout.judged.any():
        return Verdict(False, (evidence,), (), None, case.champion.set_aside), {}
    case, scores = _scored(case, say)
    tournament = _tournament(case, scores, say)
    lists, rival = _check_lists(case, scores), _rival(case, scores, tournament)
    if lists.passed and rival is not None:
        verdict, latency = _compared(case, scores, tournament, rival, (evidence, lists), say)
        return verdict, _facts(case, tournament) | {"latency_ms": latency}
    checks = (evidence, lists) if rival is not None else (evidence, lists, no_rival(case.manifest.baseline_names))
    verdict = Verdict(False, checks, tournament.contenders, rival, case.champion.set_aside)
    return verdict, _facts(case, tournament)


def _compared(
    case: Case, scores: Scores, tournament: Tournament, rival: str, before: tuple[Check, ...], say: Say
) -> tuple[Verdict, float]:
    """Hold the challenger against the rival and the champion, and look for leaks; also return milliseconds a list."""
    gate, k = case.shop.gate, case.shop.k
    champion = CHAMPION if CHAMPION in scores else rival
    slices = [tournament.compare(champion, part) for part in case.heldout.slices]
    against = {name: tournament.compare(name) for name in scores if name != CHALLENGER}
    rules = [against[name] for name in case.manifest.baseline_names]
    say("timing single requests")
    latency, median = check_latency(load_ranker(case.bundle, threads=1), case.heldout, gate)
    say("looking for leaks")
    checks = (
        *before,
        check_superiority(against[rival], rules, k),
        check_champion(against[champion], gate, k),
        check_slices(slices, gate),
        check_coverage(tournament, rival, gate),
        latency,
        *_leak_checks(case, scores[CHALLENGER]),
    )
    verdict = Verdict(
        promote=all(check.passed for check in checks),
        checks=checks,
        contenders=tournament.contenders,
        best_baseline=rival,
        set_aside=case.champion.set_aside,
        comparisons=(*against.values(), *slices),
    )
    return verdict, round(median, 2)


def _judge_baseline(case: Case, say: Say) -> tuple[Verdict, dict[str, Any]]:
    """With too little data for a model, a baseline goes live only if it would not replace a trained ranker.

    It must show that it is a rule at all: it uses purchases, and it orders lists.
    """
    counted = count_purchases(case.shop, case.clean, case.versions, case.as_of)
    checks: tuple[Check, ...] = (_check_too_little(case), check_purchases(counted, case.shop, case.as_of))
    if not case.heldout.judged.any():
        checks = (*checks, case.current()) if all(check.passed for check in checks) else checks
        promote = all(check.passed for check in checks)
        return Verdict(promote, checks, (), None, case.champion.set_aside), {}
    case, scores = _scored(case, say)
    tournament = _tournament(case, scores, say)
    checks = (*checks, _check_lists(case, scores), check_hits(tournament.contender(CHALLENGER), case.shop.k))
    verdict = Verdict(
        promote=all(check.passed for check in checks),
        checks=checks,
        contenders=tournament.contenders,
        best_baseline=_rival(case, scores, tournament),
        set_aside=case.champion.set_aside,
    )
    return verdict, _facts(case, tournament)


def _check_too_little(case: Case) -> Check:
    """Say why no model was trained, and whether a simple rule may replace the live bundle."""
    why = case.bundle.sidecar.training.get("reason", "too little data for a model")
    champion, name = case.champion, case.bundle.manifest.name
    may_serve = not champion.is_ranker or champion.live == case.bundle.digest
    ending = f"a simple rule, {name}, is judged in its place" if may_serve else "the live ranker stays"
    if not may_serve and champion.bundle is None:
        ending = f"what is live stays, for it may be a ranker: {champion.set_aside}"
    return Check("enough_data", may_serve, f"no model was trained: {why}; {ending}")


def _scored(case: Case, say: Say) -> tuple[Case, Scores]:
    """Score every held-out row by every contender; a champion whose scores make no lists is set aside."""
    say(f"scoring {len(case.heldout.split.rows):,} held-out candidates by every contender")
    features, baselines = np.asarray(case.heldout.split.features), np.asarray(case.heldout.split.baselines)
    challenger = load_ranker(case.bundle, usable_processors(), case.manifest.baseline_names)
    scores: Scores = {CHALLENGER: challenger.score(features, baselines)}
    if case.champion.ranker is not None:
        champion_scores = case.champion.ranker.score(features, baselines)
        fault = fault_of(case.heldout.request, champion_scores, case.heldout.asked)
        if fault:
            case = replace(case, champion=case.champion.without_ranker(f"of its held-out lists, {fault}"))
        else:
            scores[CHAMPION] = champion_scores
    return case, scores | {name: baselines[:, column] for column, name in enumerate(case.manifest.baseline_names)}


def _tournament(case: Case, scores: Scores, say: Say) -> Tournament:
    say(f"resampling users {case.shop.gate.resamples:,} times")
    return hold_tournament(scores, case.heldout, case.shop.gate, case.shop.training.seed)


def _check_lists(case: Case, scores: Scores) -> Check:
    return check_lists(case.heldout.request, scores[CHALLENGER], case.heldout.asked, "the held-out weeks")


def _rival(case: Case, scores: Scores, tournament: Tournament) -> str | None:
    """Return the best of the representative simple rules; None when only the catalogue's order orders a list."""
    standing = rivals(case.manifest.baseline_names, (case.train, case.validation), case.shop.k)
    request, asked = case.heldout.request, case.heldout.asked
    usable = [name for name in standing if not fault_of(request, scores[name], asked)]
    return tournament.best_of(tuple(usable)) if set(usable) - {CATALOGUE_ORDER} else None


def _leak_checks(case: Case, scores: NDArray[np.floating]) -> tuple[Check, ...]:
    with ThreadPoolExecutor(1) as beside:
        probed = beside.submit(case.probe)  # works in the engine, the shuffle on one core of ours
        shuffled = check_label_shuffle(case.train, case.heldout, scores, case.shop.training.seed)
        poisoned = check_future_poison(probed.result())
    return (
        check_times(case.manifest, case.train, case.heldout.split),
        check_overlap(case.train, case.validation, case.heldout.split),
        poisoned,
        shuffled,
        check_constant_gain(load_ranker(case.bundle), case.manifest, case.shop.gate.max_constant_gain),
    )


def _facts(case: Case, tournament: Tournament) -> dict[str, Any]:
    return {
        "heldout_requests": int(case.heldout.judged.sum()),
        "heldout_users": case.heldout.users_of(case.heldout.judged),
        "contenders": [asdict(contender) for contender in tournament.contenders],
        "set_aside": case.champion.set_aside,
        "champion": case.champion.bundle.digest if case.champion.bundle else None,
        "weeks": tournament.weeks,
    }
