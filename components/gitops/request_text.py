"""The pull request as people read it: what they decide by."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from components.bundles.digest import short
from components.bundles.loading import Bundle
from components.contracts.score_names import CONTENDERS, MEASURES, SLICES

CLOSED_MARK = "<!-- rankloop: closed by Rankloop -->"  # of a pull request that no person has closed
CHALLENGER, CHAMPION = "challenger", "champion"
SHARES = ("hit_rate", "recall", "precision", "coverage")
SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")

Document = Mapping[str, Any]
Action = Literal["promote", "rollback"]
ACTION = "Rankloop-Action"  # the trailer of a commit that goes back


@dataclass(frozen=True)
class Change:
    """A change of what an environment serves: to a bundle, instead of another."""

    action: Action
    environment: str
    bundle: Bundle
    before: str | None  # digest; None: nothing was promoted
    run_link: str | None = None  # where people see the run
    report: str | None = None  # where the run's report lies

    @property
    def digest(self) -> str:
        """Return the digest of the bundle that is to be served."""
        return self.bundle.digest


def title(change: Change) -> str:
    """Return the title, which is also the commit's subject."""
    if change.action == "rollback":
        return f"{change.environment}: go back to {short(change.digest)} from {short(change.before or '')}"
    return f"{change.environment}: promote {short(change.digest)} (run {change.bundle.sidecar.run_id})"


def commit_message(change: Change) -> str:
    """Return the message of the commit."""
    trailers = {"Rankloop-Bundle": change.digest, "Rankloop-Run": change.bundle.sidecar.run_id}
    if change.before:
        trailers["Rankloop-Instead-Of"] = change.before
    if change.action == "rollback":
        trailers[ACTION] = change.action
    lines = "\n".join(f"{name}: {value}" for name, value in trailers.items())
    return f"{title(change)}\n\n{lines}\n"


def goes_back(message: str) -> bool:
    """Say whether a commit's message is that of a rollback."""
    return f"{ACTION}: rollback" in message.splitlines()


def text(change: Change) -> str:
    """Return the description, as Markdown that all forges show alike."""
    verdict = change.bundle.sidecar.verdict or {}
    parts = [
        _summary(change),
        *_scores(verdict, change.bundle.manifest.k),
        *_judgement(verdict, change),
        *_slices(verdict),
        "### Origin\n\n" + table(("", ""), _origin(change)),
        _consequences(change),
    ]
    return "\n\n".join(parts) + "\n"


def closed_text(before: str, why: str) -> str:
    """Return the description of a pull request that Rankloop closes."""
    return f"> **Closed by Rankloop:** {why}\n\n{before.replace(CLOSED_MARK, '').rstrip()}\n\n{CLOSED_MARK}\n"


def _summary(change: Change) -> str:
    served = f"bundle `{short(change.digest)}` of run `{change.bundle.sidecar.run_id}`"
    instead = f"instead of `{short(change.before)}`" if change.before else "; it serves no trained bundle yet"
    again = " again" if change.action == "rollback" else ""
    return f"Merging this makes **{change.environment}** serve {served}{again} {instead}.".replace(" ;", ";")


def _scores(verdict: Document, k: int) -> list[str]:
    """Return the table of all contenders, the new bundle first, then the live one and the simple rules."""
    contenders = _contenders(verdict)
    if not contenders:
        return []
    known = set().union(*(contender.get("metrics") or {} for contender in contenders))
    measures = [name for name in MEASURES if name in known and name != "ndcg"]
    heads = ["", *(MEASURES[name].format(k=k) for name in ("ndcg", *measures)), f"New less this, NDCG@{k}"]
    rows = [_score_row(contender, measures, verdict) for contender in contenders]
    note = "In parentheses: the interval of the gate's confidence, from resampled customers; held-out weeks alone."
    return [f"### Scores\n\n{table(heads, rows)}\n\n{note}"]


def _contenders(verdict: Document) -> list[Document]:
    order = {CHALLENGER: 0, CHAMPION: 1, verdict.get("best_baseline"): 2}
    contenders: list[Document] = list(verdict.get("contenders") or ())
    return sorted(contenders, key=lambda contender: order.get(contender["name"], 3))


def _score_row(contender: Document, measures: Sequence[str], verdict: Document) -> list[str]:
    name, best = contender["name"], verdict.get("best_baseline")
    values = contender.get("metrics") or {}
    cells = [_interval(contender["ndcg"]), *(_measure(measure, values.get(measure)) for measure in measures)]
    if name == CHALLENGER:
        return [f"**{_name(name)}**", *(f"**{cell}**" for cell in cells), ""]
    label = f"{_name(name)} (the best simple rule)" if name == best else _name(name)
    lead = _comparison(verdict, name)
    return [label, *cells, _difference(lead["difference"]) if lead else ""]


def _judgement(verdict: Document, change: Change) -> list[str]:
    checks = sorted(verdict.get("checks") or (), key=lambda check: bool(check["passed"]))
    lines = [f"- {'✅' if check['passed'] else '❌'} {plain(check['reason'])}" for check in checks]
    said = "The gate lets it go live:" if verdict.get("promote") else "The gate refused it:"
    notes = [plain(note) + "." for note in _doubts(verdict, change)]
    return ["### Verdict\n\n" + "\n".join([said, "", *lines]), *(f"> **Note:** {note}" for note in notes)]


def _doubts(verdict: Document, change: Change) -> Iterable[str]:
    if verdict.get("set_aside"):
        yield str(verdict["set_aside"])
    judged, live = verdict.get("live"), change.before
    if change.action == "promote" and "live" in verdict and live and judged != live:
        against = f"against {short(judged)}" if judged else "when nothing was live"
        yield f"it was judged {against}, and {change.environment} serves {short(live)} now"


def _slices(verdict: Document) -> list[str]:
    """Return the groups of customers, folded away."""
    new = next((one for one in _contenders(verdict) if one["name"] == CHALLENGER), None)
    if not new or not new.get("slices"):
        return []
    live = next((one for one in _contenders(verdict) if one["name"] == CHAMPION), {})
    names = sorted(new["slices"], key=lambda name: (list(SLICES).index(name) if name in SLICES else len(SLICES), name))
    users, before = new.get("slice_users") or {}, live.get("slices") or {}
    rows = [
        [
            SLICES.get(name, plain(name)),
            f"{users.get(name, 0):,}",
            _interval(new["slices"][name]),
            _interval(before[name]) if name in before else "",
        ]
        for name in names
    ]
    rows_shown = table(("Customers", "Number", "New, NDCG", "Live, NDCG"), rows)
    return [f"<details><summary>By groups of customers</summary>\n\n{rows_shown}\n\n</details>"]


def _origin(change: Change) -> list[list[str]]:
    manifest, sidecar = change.bundle.manifest, change.bundle.sidecar
    run = f"[{sidecar.run_id}]({change.run_link})" if change.run_link else f"`{sidecar.run_id}`"
    rows = {
        "Bundle": f"`{change.digest}`",
        "Instead of": f"`{change.before}`" if change.before else "nothing",
        "Run": run,
        "Report": _reference(change.report),
        "Answers with": plain(manifest.baseline or " + ".join(part.name for part in manifest.blend) or manifest.name),
        "As of": sidecar.as_of,
        "Learned from outcomes until": sidecar.train_end,
        "Data": ", ".join(f"{plain(name)} v{version}" for name, version in sorted(sidecar.versions.items())),
        "Code": f"`{sidecar.code_revision}`" if sidecar.code_revision else "",
    }
    return [[name, value] for name, value in rows.items() if value]


def _reference(place: str | None) -> str:
    if place is None:
        return ""
    return f"[{place}]({place})" if place.startswith(("http://", "https://")) else f"`{place}`"


def _consequences(change: Change) -> str:
    environment = change.environment
    back = f"`{short(change.before)}`" if change.before else "no trained bundle"
    return (
        "### What happens then\n\n"
        f"- **Merge:** the cluster rolls the new bundle out; what serves now goes on until the new pods are ready.\n"
        f"- **Revert:** a revert of the merge makes {environment} serve {back} again, by the same way."
        f" `rankloop rollback --env {environment}` proposes it.\n"
        f"- **Close:** {environment} keeps what it serves, and this bundle is not proposed again; reopening undoes"
        " that.\n\n"
        f"Details: `rankloop bundle {short(change.digest)}`"
    )


def _comparison(verdict: Document, against: str) -> Document | None:
    matching = (one for one in verdict.get("comparisons") or () if one["against"] == against and not one.get("slice"))
    return next(matching, None)


def _name(contender: str) -> str:
    return CONTENDERS.get(contender, plain(contender.replace("_", " ").capitalize()))


def _interval(score: Document) -> str:
    return f"{score['mean']:.4f} ({score['low']:.4f} to {score['high']:.4f})"


def _difference(score: Document) -> str:
    return f"{score['mean']:+.4f} ({score['low']:+.4f} to {score['high']:+.4f})"


def _measure(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{100 * value:.1f}%" if name in SHARES else f"{value:.4f}"


def plain(words: str) -> str:
    """Return words that Markdown shows as they are, in one line."""
    return SPECIAL.sub(r"\\\1", " ".join(words.split()))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows as a table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
