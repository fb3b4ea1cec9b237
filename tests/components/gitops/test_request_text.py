"""The pull request as a person reads it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from components.bundles.digest import short
from components.bundles.loading import Bundle
from components.gitops.bundle_line import changed_files, line_digest, rendered_folder, source_path
from components.gitops.request_text import CLOSED_MARK, Change, closed_text, commit_message, text, title
from tests.components.gitops.bench import verdict

ROOT = Path(__file__).parents[3]
RUN = "https://kubeflow.example.org/#/runs/details/7"


def judged(bundle: Bundle, **changes: object) -> Bundle:
    """The bundle with another verdict."""
    return replace(bundle, sidecar=replace(bundle.sidecar, verdict=verdict() | changes))


def test_it_says_what_a_person_decides_by(bundles: list[Bundle]) -> None:
    first, second = bundles[:2]
    change = Change("promote", "production", second, first.digest, RUN, "s3://shop/home/runs/run-2/report.html")
    assert title(change) == f"production: promote {short(second.digest)} (run run-2)"
    written = text(change)
    start = f"Merging this makes **production** serve bundle `{short(second.digest)}` of run `run-2` instead of"
    assert written.startswith(f"{start} `{short(first.digest)}`.")
    rows = [line for line in written.splitlines() if line.startswith("|")]
    assert rows[0].startswith(
        "|  | NDCG@2 | MAP@2 | Hit rate | Recall@2 | Coverage | Novelty | New less this, NDCG@2 |"
    )
    assert rows[2].startswith("| **New ranker** | **0.2312 (0.2252 to 0.2372)** | **0.1156** | **46.2%** |")
    assert rows[3].startswith("| Live ranker | 0.2207")
    assert rows[3].endswith("| +0.0105 (+0.0065 to +0.0145) |")
    assert rows[4].startswith("| Buy it again (the best simple rule) | 0.2001")
    assert rows[5].startswith("| Best sellers | 0.1204")
    assert "- ✅ coverage 61% of what sells \\| expected 20%" in written
    assert f"[run-2]({RUN})" in written
    assert "`s3://shop/home/runs/run-2/report.html`" in written
    assert f"a revert of the merge makes production serve `{short(first.digest)}` again" in written
    assert "| Heavy buyers | 1,400 | 0.2312 (0.2254 to 0.2371) |" in written
    for table in re.findall(r"(?:^\|.*\n)+", written, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_the_first_bundle_and_a_way_back_are_named_as_such(bundles: list[Bundle]) -> None:
    first, second = bundles[:2]
    written = text(Change("promote", "staging", first, None))
    assert "of run `run-1`; it serves no trained bundle yet." in written
    assert "a revert of the merge makes staging serve no trained bundle again" in written
    back = Change("rollback", "staging", first, second.digest)
    assert title(back) == f"staging: go back to {short(first.digest)} from {short(second.digest)}"
    assert f"of run `run-1` again instead of `{short(second.digest)}`." in text(back)
    trailers = [f"Rankloop-Bundle: {first.digest}", "Rankloop-Run: run-1", f"Rankloop-Instead-Of: {second.digest}"]
    trailers.append("Rankloop-Action: rollback")
    assert commit_message(back).splitlines()[2:] == trailers


def test_doubts_are_shown(bundles: list[Bundle]) -> None:
    first, second, third = bundles[:3]
    bundle = judged(second, set_aside="the champion was set aside: it is of another revision", live=first.digest)
    written = text(Change("promote", "staging", bundle, third.digest))
    assert "> **Note:** the champion was set aside: it is of another revision." in written
    assert f"it was judged against {short(first.digest)}, and staging serves {short(third.digest)} now" in written
    assert "**Note:**" not in text(Change("promote", "staging", judged(second, live=first.digest), first.digest))


def test_a_verdict_without_scores_has_no_table(bundles: list[Bundle]) -> None:
    bare = judged(bundles[0], contenders=[], comparisons=[], checks=[])
    written = text(Change("promote", "staging", bare, None))
    assert "### Scores" not in written
    assert "**Note:**" not in text(Change("promote", "staging", bare, bundles[1].digest))  # an older verdict says not
    assert "The gate lets it go live:" in written


def test_words_of_the_data_cannot_change_the_page(bundles: list[Bundle]) -> None:
    evil = [{"name": "x", "passed": True, "reason": "<script> [a](javascript:b) | `c`\n# heading"}]
    written = text(Change("promote", "staging", judged(bundles[0], checks=evil), None))
    assert "- ✅ \\<script\\> \\[a\\](javascript:b) \\| \\`c\\` \\# heading" in written


def test_closing_keeps_the_text_and_marks_it(bundles: list[Bundle]) -> None:
    before = text(Change("promote", "staging", bundles[0], None))
    closed = closed_text(closed_text(before, "an earlier reason"), "a newer one is merged")
    assert closed.startswith("> **Closed by Rankloop:** a newer one is merged")
    assert closed.count(CLOSED_MARK) == 1
    assert before.strip() in closed


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_line_of_the_shipped_manifests_has_its_counterpart(environment: str) -> None:
    source = (ROOT / source_path(environment)).read_bytes()
    folder = ROOT / rendered_folder(environment)
    rendered = {str(path.relative_to(ROOT)): path.read_bytes() for path in folder.iterdir()}
    digest = "sha256:" + 64 * "a"
    changed = changed_files(environment, digest, source, rendered)
    assert line_digest("", changed[source_path(environment)]) == digest
    assert len(changed) == 2
    for path, content in changed.items():
        before = source if path == source_path(environment) else rendered[path]
        lines = zip(before.splitlines(), content.splitlines(), strict=True)
        assert [new.strip() for old, new in lines if old != new] == [f"value: {digest}".encode()]
