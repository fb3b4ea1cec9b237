"""The run report as a reader's browser gets it: complete, self-contained, safe, and honest about what is missing."""

import json
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from components.contracts.example_customers import CustomerExample, PastItem, RecommendedItem, examples_as_facts
from components.contracts.handles import Handle
from components.contracts.steps.facts import TrainingFacts, facts_document
from components.contracts.verdict import Check, Score, Verdict, verdict_json
from components.home.runs.step_records import StepRecord
from components.write_report.report import write_report
from tests.components.write_report import sample_run
from tests.components.write_report.sample_facts import AS_OF

SECTIONS = (
    "answer",
    "quality",
    "gate",
    "customers",
    "data",
    "features",
    "model",
    "drift",
    "run",
    "lineage",
    "glossary",
)
VOID = frozenset({"meta", "br", "img", "link", "input", "hr", "col"})
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """A parsed page: tags in order with attributes, text by section; refuses tags that do not close."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []
        self._section = ""
        self.feed(source)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("script", "style"):
            self.texts[self._section] = self.texts.get(self._section, "") + data

    def having(self, attribute: str) -> Iterator[tuple[str, str]]:
        """The tags that have an attribute, with its value."""
        return ((tag, found[attribute] or "") for tag, found in self.tags if attribute in found)


def page_of(
    folder: Path,
    records: dict[str, StepRecord],
    verdict: Verdict | None = None,
    run: dict[str, str] | None = None,
    **given: object,
) -> Page:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(sample_run.RUN | (run or {})))
    path = write_report(folder, sample_run.shop(), records, verdict, **given)  # type: ignore[arg-type]
    assert path == folder / "report.html"
    return Page(path.read_text())


@pytest.fixture
def full(tmp_path: Path) -> Page:
    evidently = b"<html><script>let a = '</script>';</script></html>"
    return page_of(tmp_path, sample_run.records(), sample_run.verdict(), drift=sample_run.drift(), evidently=evidently)


def test_every_section_is_there_and_is_reachable(full: Page) -> None:
    assert tuple(found["id"] for tag, found in full.tags if tag == "section") == SECTIONS
    links = [value for tag, value in full.having("href")]
    assert links == ["#content", *(f"#{section}" for section in SECTIONS)]


def test_nothing_is_loaded_from_anywhere(full: Page) -> None:
    assert not list(full.having("src"))
    assert all(value.startswith("#") for _, value in full.having("href"))
    assert not [tag for tag, _ in full.tags if tag in ("link", "img", "object", "embed")]
    policy = next(found for tag, found in full.tags if found.get("http-equiv"))
    assert "default-src 'none'" in str(policy["content"])


def test_first_screen_says_what_came_in_what_was_learned_and_why_it_goes_live(full: Page) -> None:
    answer = full.texts["answer"]
    assert "The new ranker deserves to go live" in answer
    assert "1.47 million new events" in answer
    assert "4.2\u202f% better than the best simple rule" in answer
    assert "between +0.0081 and +0.0158 with 95\u202f% confidence" in answer
    assert "51 signals, 394 trees" in answer


def test_quality_shows_each_contender_with_its_interval(full: Page) -> None:
    quality = full.texts["quality"]
    for words in ("New ranker", "Live ranker", "Buy it again", "Best sellers", "Catalogue order"):
        assert words in quality
    assert "0.288 to 0.302" in quality
    assert "MAP@10" in quality
    assert "Cold start" in quality
    assert "over buy it again: +0.0010 (−0.0200 to +0.0220)" in quality  # noqa: RUF001


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("customers", "bought 28 times, about every 7 days; last 4 days ago"),
        ("customers", "$2.59"),
        ("data", "No item"),
        ("data", "1,200 rows of old_orders are left out"),
        ("data", ".trash/4.csv and 2 more (a hidden name); notes.md (the suffix is none of .csv, .tsv, .txt)"),
        ("data", '{"household_id": "1228", "product_id": null}'),
        ("features", "never seen"),
        ("model", "17,204 requests, 4.21 million rows"),
        ("model", "history decay rank"),
        ("model", "3,310 in the window, 860 learned from"),
        ("model", "21,400, 70.0\u202f% with the features as they were served"),
        ("model", "Wanted items among the candidates"),
        ("drift", "the distribution moved: PSI 0.41"),
        ("drift", "7 more columns, all within their limits"),
        ("run", "2.2\u202fGB of memory"),
        ("lineage", "events@5"),
        ("lineage", "8c1d5b0cf1d3"),
        ("glossary", "PSI"),
    ],
)
def test_sections_show_what_the_steps_recorded(full: Page, section: str, words: str) -> None:
    assert words in full.texts[section]


def test_pictures_and_tables_can_be_read_out(full: Page) -> None:
    pictures = [found for tag, found in full.tags if tag == "svg" and "viewbox" not in found]
    assert all(found.get("aria-hidden") == "true" or found.get("aria-label") for found in pictures)
    assert all(found.get("scope") for tag, found in full.tags if tag == "th")
    named = {found["aria-labelledby"] for tag, found in full.tags if tag == "section"}
    assert named <= {value for _, value in full.having("id")}


def test_evidently_page_is_packed_and_cannot_reach_the_report(full: Page) -> None:
    frame = next(found for tag, found in full.tags if tag == "iframe")
    assert frame["sandbox"] == "allow-scripts"
    assert "srcdoc" not in frame


def test_a_refusal_leads_with_the_failed_conditions(tmp_path: Path) -> None:
    page = page_of(tmp_path, sample_run.records(), sample_run.verdict(promote=False))
    answer = page.texts["answer"]
    assert "Keep what is live" in answer
    assert "1 of the gate's 11 conditions does not hold" in answer
    assert "cold: -21.0% (-29.1% to -12.4%)" in answer
    gate = page.texts["gate"]
    assert gate.index("failed") < gate.index("passed")


def test_a_failed_run_says_what_failed_where_and_what_to_do(tmp_path: Path) -> None:
    error = "events: 412 of 90,210 rows have no item_id (limit 0.1 %); fix the mapping events.item in shop.toml"
    page = page_of(tmp_path, sample_run.failed_records("build_training_set", error), succeeded=False)
    answer = page.texts["answer"]
    assert "The run stopped at “Build training set”" in answer
    assert error in answer
    assert "Do what the message says, then run it again" in answer
    assert "Train ranker: not reached" in " ".join(answer.split())
    assert "1.47 million" in page.texts["data"]
    assert "No ranker was trained in this run." in page.texts["model"]


def test_an_unexpected_error_points_at_the_log(tmp_path: Path) -> None:
    page = page_of(tmp_path, sample_run.failed_records("train_ranker", "unexpected KeyError: 'x'"), succeeded=False)
    assert f"{tmp_path / 'log.txt'} holds the details" in page.texts["answer"]


def test_a_run_on_kubeflow_points_there_for_its_log(tmp_path: Path) -> None:
    records = sample_run.failed_records("train_ranker", "unexpected KeyError: 'x'")
    link = "https://kubeflow.example.org/#/runs/details/k1"
    page = page_of(tmp_path, records, run={"kubeflow_run": "k1", "link": link}, succeeded=False)
    assert f"{link} holds the details" in page.texts["answer"]


def test_warnings_of_all_steps_stand_on_the_first_screen(tmp_path: Path) -> None:
    records = sample_run.records()
    records["ingest_events"].warnings = ["orders: 2 files were left out"]
    records["validate_events"].warnings = ["items: <b>9</b> prices cannot be read", "orders: 2 files were left out"]
    page = page_of(tmp_path, records)
    assert page.texts["answer"].count("orders: 2 files were left out") == 1
    assert "items: <b>9</b> prices cannot be read" in page.texts["answer"]


def test_a_run_without_any_record_still_has_a_report(tmp_path: Path) -> None:
    page = page_of(tmp_path, {}, succeeded=False)
    assert "The run did not finish" in page.texts["answer"]
    for section in SECTIONS[1:-2]:
        assert page.texts[section].strip().endswith("."), section
        assert len([line for line in page.texts[section].splitlines() if line.strip()]) == 2, section


@pytest.mark.parametrize("step", list(sample_run.records()))
def test_each_step_may_be_missing(tmp_path: Path, step: str) -> None:
    records = {name: record for name, record in sample_run.records().items() if name != step}
    page_of(tmp_path, records, sample_run.verdict())


@pytest.mark.parametrize("step", list(sample_run.records()))
@pytest.mark.parametrize("facts", [{}, {"views": 3, "curve": [], "events": "x", "sources": None, "new": [None]}])
def test_facts_may_have_any_shape(tmp_path: Path, step: str, facts: dict[str, object]) -> None:
    records = sample_run.records()
    records[step] = replace(records[step], facts=facts)
    page_of(tmp_path, records, sample_run.verdict())


def stand_in_facts(reason: str) -> dict[str, Any]:
    """Facts of a training step that sealed a baseline instead of a ranker."""
    facts = TrainingFacts("baseline", AS_OF, AS_OF, 0, 0, 0, 0, baseline="buy_it_again", reason=reason)
    return facts_document(facts)


def test_a_baseline_stands_in_when_there_is_too_little_data(tmp_path: Path) -> None:
    records = sample_run.records()
    facts = stand_in_facts("31 training requests; 200 are needed")
    records["train_ranker"] = replace(records["train_ranker"], facts=facts)
    check = Check("enough_data", True, "no model was trained: 31 training requests; 200 are needed")
    page = page_of(tmp_path, records, Verdict(True, (check,), (), None))
    assert "No new ranker this time" in page.texts["answer"]
    assert "The simple rule “buy it again” stands in for it." in page.texts["model"]
    assert "Enough data to train on" in page.texts["gate"]


def test_a_baseline_that_may_not_go_live_is_shown_with_its_reason(tmp_path: Path) -> None:
    records = sample_run.records()
    facts = stand_in_facts("0 training requests; 200 are needed")
    records["train_ranker"] = replace(records["train_ranker"], facts=facts)
    checks = (
        Check("enough_data", True, "no model was trained: 0 training requests; 200 are needed"),
        Check("purchases", False, "none of 4,000 events is a success"),
    )
    page = page_of(tmp_path, records, Verdict(False, checks, (), None))
    assert "Nothing new goes live" in page.texts["answer"]
    assert "None of 4,000 events is a success." in page.texts["answer"]
    assert "The simple rule “buy it again” may not stand in. 1 of 2 checks of the gate passed." in page.texts["answer"]
    assert "The simple rule “buy it again” was judged in its place." in page.texts["model"]
    assert "Rests on purchases" in page.texts["gate"]


def test_unknown_bounds_are_drawn_without_a_line(tmp_path: Path) -> None:
    verdict = sample_run.verdict()
    nan = float("nan")
    slices = {"lonely": Score(0.2, nan, nan), "empty": Score(nan, nan, nan)}
    contenders = tuple(replace(each, slices=slices) for each in verdict.contenders)
    page = page_of(tmp_path, sample_run.records(), replace(verdict, contenders=contenders))
    assert "Lonely" in page.texts["quality"]
    assert not [value for _, found in page.tags for value in found.values() if value and "nan" in value.split("%")[0]]


def test_hostile_titles_stay_text(tmp_path: Path) -> None:
    item = RecommendedItem(1, HOSTILE, HOSTILE, 1.0, (HOSTILE,), HOSTILE, HOSTILE)
    example = CustomerExample(HOSTILE, HOSTILE, (PastItem(HOSTILE, HOSTILE, 1, HOSTILE),), (item,))
    records = sample_run.failed_records("detect_drift", HOSTILE)
    records["publish_bundle"] = replace(records["publish_bundle"], facts={"examples": examples_as_facts([example])})
    drift = sample_run.drift()
    drift = replace(drift, tables=tuple(replace(table, name=HOSTILE, reason=HOSTILE) for table in drift.tables))
    page = page_of(tmp_path, records, sample_run.verdict(), drift=drift)
    assert not [found for _, found in page.tags if "onerror" in found]
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 1
    assert HOSTILE in page.texts["customers"]
    assert HOSTILE in page.texts["answer"]


def test_what_is_not_given_is_found_where_the_steps_left_it(tmp_path: Path) -> None:
    verdict, drift = tmp_path / "evaluation" / "verdict.json", tmp_path / "drift.json"
    verdict.parent.mkdir()
    verdict.write_bytes(verdict_json(sample_run.verdict()))
    drift.write_text(json.dumps(sample_run.drift().to_dict()))
    records = sample_run.records()
    records["evaluate_ranker"].handles["evaluation"] = Handle("evaluation", str(verdict))
    page = page_of(tmp_path, records)
    assert "The new ranker deserves to go live" in page.texts["answer"]
    assert "1 of 19 columns drifted" in page.texts["drift"]
    assert "28 August 2017" in page.texts["answer"]
