"""The pull request that takes a bundle out of Git after its canary failed, as people read it."""

from components.bundles.digest import short
from components.gitops.canary import READY, Canary
from components.gitops.record import FailedBundle
from components.gitops.request_text import plain, table

METRICS = {
    READY: "whether the pods opened the bundle and can answer; `/readyz` and their log say why not",
    "errors": "share of requests without an answer, above the stable pods', less what chance explains",
    "latency": "time of the slowest in a hundred answers, in times of the stable pods'",
    "fallbacks": "share of answers that lack something they rest on, above the stable pods', less what chance explains",
    "scores": "distance of the lists' best scores from the stable pods', from 0 to 1, less what chance explains",
    "empty-lists": "share of answers with an empty list, above the stable pods', less what chance explains",
}


def revert_title(environment: str, bundle: str, failed: FailedBundle) -> str:
    """Return the title, which is also the commit's subject."""
    return f"{environment}: revert to {short(failed.instead)} from {short(bundle)}, whose canary failed"


def revert_message(environment: str, bundle: str, failed: FailedBundle) -> str:
    """Return the message of the commit."""
    trailers = {"Rankloop-Bundle": failed.instead, "Rankloop-Instead-Of": bundle}
    lines = "\n".join(f"{name}: {value}" for name, value in trailers.items())
    return f"{revert_title(environment, bundle, failed)}\n\n{failed.failure.sentence}\n\n{lines}\n"


def revert_text(environment: str, bundle: str, failed: FailedBundle, canary: Canary) -> str:
    """Return the description, as Markdown that all forges show alike."""
    failure = failed.failure
    parts = [
        f"The canary of bundle `{short(bundle)}` in **{environment}** failed in **{plain(failure.metric)}**: found"
        f" **{plain(failure.value) or 'a value that was not kept'}**, expected **{plain(failure.limit)}**. Argo"
        f" Rollouts has taken it back, and the stable pods serve `{short(failed.instead)}` to everybody. Merging"
        " this makes Git say so too.",
        "### Why\n\n" + table(*_table(bundle, failed, canary)),
        "### What happens then\n\n"
        f"- **Merge:** {environment} goes on serving `{short(failed.instead)}`, and is no longer degraded.\n"
        f"- **Close:** Git goes on naming a bundle that does not serve, and {environment} stays degraded. This is not"
        " proposed again.\n"
        f"- **Promotions** for {environment} are stopped until a person has seen the reason: `rankloop breaker --env"
        f" {environment} --reset`. {_afterwards(failed)}",
    ]
    return "\n\n".join(parts) + "\n"


def _afterwards(failed: FailedBundle) -> str:
    if failed.is_alone:
        return "This bundle is not proposed again after that either."
    return "The same canary brought other changes too, so this bundle may be proposed again after that."


def _table(bundle: str, failed: FailedBundle, canary: Canary) -> tuple[list[str], list[list[str]]]:
    """Return the head of the table, and its rows."""
    failure, meaning = failed.failure, METRICS.get(failed.failure.metric)
    rows = {
        "Metric": f"`{failure.metric}`" + (f": {meaning}" if meaning else ""),
        "Measured": f"**{plain(failure.value)}**" if failure.value else "",
        "Expected": f"**{plain(failure.limit)}**",
        "When": failure.at,
        "AnalysisRun": f"`{failure.run}`" if failure.run else "",
        "Argo Rollouts says": plain(canary.message),
        "Bundle": f"`{bundle}`",
        "Served instead": f"`{failed.instead}`",
    }
    head, *others = ([name, value] for name, value in rows.items() if value)
    return head, others
