"""The gate: does the challenger deserve to go live? It promotes only on evidence, and says each reason in words."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.bundles.loading import Bundle, check_revision, load_ranker, open_bundle
from components.contracts.examples import ExamplesManifest, Split, read_manifest, read_split
from components.contracts.handles import Handle
from components.contracts.home import Home
from components.contracts.shop import Shop
from components.contracts.verdict import Check, Verdict, write_verdict
from components.evaluate_ranker.champion import Champion, find_champion
from components.evaluate_ranker.checks import (
    check_champion,
    check_coverage,
    check_evidence,
    check_latency,
    check_slices,
    check_superiority,
)
from components.evaluate_ranker.contenders import CHALLENGER, CHAMPION, Tournament, hold_tournament, ndcg_by_time
from components.evaluate_ranker.future_poison import LeakProbe, probe_future
from components.evaluate_ranker.heldout import Heldout, heldout_requests
from components.evaluate_ranker.label_shuffle import check_label_shuffle
from components.evaluate_ranker.leaks import (
    check_constant_gain,
    check_future_poison,
    check_overlap,
    check_times,
)
from components.evaluate_ranker.sold import sold_merchandise

Say = Callable[[str], None]
Scores = dict[str, NDArray[np.floating]]
Probe = Callable[[Shop, Path, Mapping[str, int], ExamplesManifest, Split], LeakProbe | None]


@dataclass(frozen=True)
class Evaluated:
    """The verdict's handle, and what is worth telling of it."""

    evaluation: Handle
    rows_in: int
    rows_out: int
    facts: dict[str, Any]


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
    probe: Callable[[], LeakProbe | None]


def evaluate_ranker(
    shop: Shop,
    home: Home,
    draft: Handle,
    examples: Handle,
    run_id: str,
    environment: str,
    say: Say,
    probe: Probe = probe_future,
) -> Evaluated:
    """Judge a draft bundle on the held-out requests and write the verdict into the run's folder.

    ``probe`` recomputes features with the future poisoned, from the clean tables that the examples came from.

    Raises:
        BundleError: the draft is incomplete, was changed, or was made for other features than the examples hold.
    """
    case = _case(shop, home, draft, examples, environment, probe)
    verdict, facts = _judge_baseline(case, say) if case.bundle.manifest.kind == "baseline" else _judge(case, say)
    path = home.run(run_id) / "evaluation" / "verdict.json"
    write_verdict(path, verdict)
    facts |= {"promote": verdict.promote, "reasons": verdict.reasons, "checks": [asdict(one) for one in verdict.checks]}
    handle = Handle("evaluation", str(path), examples.versions, case.bundle.digest, draft.as_of)
    return Evaluated(handle, len(case.heldout.split.rows), len(case.heldout.relevant), facts)


def _case(shop: Shop, home: Home, draft: Handle, examples: Handle, environment: str, probe: Probe) -> Case:
    folder = Path(examples.uri)
    manifest = read_manifest(folder)
    bundle = open_bundle(Path(draft.uri), draft.digest)
    check_revision(bundle.manifest, manifest.feature_list, manifest.feature_revision)
    train, validation, heldout = (read_split(folder, name) for name in ("train", "validation", "heldout"))
    sold = sold_merchandise(shop, home.clean, examples.versions, examples.moment)
    return Case(
        shop=shop,
        bundle=bundle,
        manifest=manifest,
        champion=find_champion(home, shop, environment, manifest),
        heldout=heldout_requests(heldout, train, shop.k, sold),
        train=train,
        validation=validation,
        probe=lambda: probe(shop, home.clean, examples.versions, manifest, heldout),
    )


def _judge(case: Case, say: Say) -> tuple[Verdict, dict[str, Any]]:
    evidence = check_evidence(case.heldout, case.shop.gate)
    if not case.heldout.judged.any():
        return Verdict(False, (evidence,), (), None, case.champion.set_aside), {}
    say(f"scoring {len(case.heldout.split.rows):,} held-out candidates by every contender")
    scores = _scores(case)
    say(f"resampling users {case.shop.gate.resamples:,} times")
    tournament = hold_tournament(scores, case.heldout, case.shop.gate, case.shop.training.seed)
    baseline = tournament.best_of(tuple(case.manifest.baseline_names))
    champion = CHAMPION if CHAMPION in scores else baseline
    slices = [tournament.compare(champion, part) for part in case.heldout.slices]
    against = {name: tournament.compare(name) for name in scores if name != CHALLENGER}
    say("timing single requests")
    latency, median = check_latency(load_ranker(case.bundle, threads=1), case.heldout, case.shop.gate)
    say("looking for leaks")
    checks = (
        evidence,
        check_superiority(against[baseline], case.shop.k),
        check_champion(against[champion], case.shop.gate, case.shop.k),
        check_slices(slices, case.shop.gate),
        check_coverage(tournament, baseline, case.shop.gate),
        latency,
        *_leak_checks(case, scores[CHALLENGER]),
    )
    verdict = Verdict(
        promote=all(check.passed for check in checks),
        checks=checks,
        contenders=tournament.contenders,
        best_baseline=baseline,
        set_aside=case.champion.set_aside,
        comparisons=(*against.values(), *slices),
    )
    return verdict, _facts(case, tournament, scores) | {"latency_ms": round(median, 2)}


def _judge_baseline(case: Case, say: Say) -> tuple[Verdict, dict[str, Any]]:
    """With too little data for a model, a baseline goes live only where no trained ranker would make way for it."""
    why = case.bundle.sidecar.training.get("reason", "too little data for a model")
    live = case.champion.bundle
    name = case.bundle.manifest.name
    promote = live is None or live.manifest.kind == "baseline"
    ending = f"the {name} baseline serves" if promote else "the live ranker stays"
    check = Check("enough_data", promote, f"no model was trained: {why}; {ending} until there is more data")
    if not case.heldout.judged.any():
        return Verdict(promote, (check,), (), None, case.champion.set_aside), {}
    say("scoring the baselines")
    scores = _scores(case)
    tournament = hold_tournament(scores, case.heldout, case.shop.gate, case.shop.training.seed)
    baseline = tournament.best_of(tuple(case.manifest.baseline_names))
    verdict = Verdict(promote, (check,), tournament.contenders, baseline, case.champion.set_aside)
    return verdict, _facts(case, tournament, scores)


def _scores(case: Case) -> Scores:
    """Score every held-out row by every contender."""
    features, baselines = np.asarray(case.heldout.split.features), np.asarray(case.heldout.split.baselines)
    challenger = load_ranker(case.bundle, case.shop.training.threads)
    scores: Scores = {CHALLENGER: challenger.score(features, baselines)}
    if case.champion.ranker is not None:
        scores[CHAMPION] = case.champion.ranker.score(features, baselines)
    return scores | {name: baselines[:, column] for column, name in enumerate(case.manifest.baseline_names)}


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


def _facts(case: Case, tournament: Tournament, scores: Scores) -> dict[str, Any]:
    return {
        "heldout_requests": int(case.heldout.judged.sum()),
        "heldout_users": case.heldout.users_of(case.heldout.judged),
        "contenders": [asdict(contender) for contender in tournament.contenders],
        "set_aside": case.champion.set_aside,
        "champion": case.champion.bundle.digest if case.champion.bundle else None,
        "weeks": ndcg_by_time(scores, case.heldout),
    }
