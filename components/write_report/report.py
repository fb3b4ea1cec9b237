"""The run report: one self-contained HTML file that says what came in, what was learned, and what follows from it."""

from dataclasses import dataclass

from components.contracts.example_customers import CustomerExample
from components.contracts.steps.facts import PromotionFacts, TrainingFacts
from components.contracts.verdict import Verdict
from components.drift.report import DriftReport
from components.home.runs.records import log_place
from components.home.runs.step_records import all_warnings, stood_at
from components.home.storage.documents import write_document
from components.home.storage.locations import Location
from components.shop.settings import Shop
from components.write_report import formats
from components.write_report.facts import step_facts
from components.write_report.page import render_page
from components.write_report.run_files import RunFiles, read_run_files
from components.write_report.run_outline import Records, StepOutcome, failed_step, step_outcomes
from components.write_report.sections.customers import customer_examples
from components.write_report.sections.data_quality import DataQuality, data_quality
from components.write_report.sections.drift import DriftSection, drift_section
from components.write_report.sections.feature_gallery import FeatureGallery, feature_gallery
from components.write_report.sections.first_screen import Answer, does_it_deserve, what_came_in, what_was_learned
from components.write_report.sections.gate import Condition, conditions
from components.write_report.sections.headline import (
    Headline,
    failure_headline,
    margin_in_words,
    undecided_headline,
    verdict_headline,
)
from components.write_report.sections.lineage import Lineage, lineage
from components.write_report.sections.model_card import ModelCard, model_card
from components.write_report.sections.quality import Quality, quality
from components.write_report.sections.timeline import Timeline, timeline

REPORT = "report.html"


@dataclass(frozen=True)
class RunReport:
    """Everything the page shows; a part is None when the run did not get that far."""

    shop: str
    currency: str
    run_id: str
    as_of: str
    k: int
    headline: Headline
    warnings: tuple[str, ...]
    answers: tuple[Answer, ...]
    failed: StepOutcome | None
    data: DataQuality | None
    features: FeatureGallery | None
    model: ModelCard | None
    quality: Quality | None
    gate: tuple[Condition, ...]
    drift: DriftSection | None
    customers: tuple[CustomerExample, ...]
    timeline: Timeline | None
    lineage: Lineage | None
    outcomes: tuple[StepOutcome, ...]
    promoted: bool = False


def write_report(
    run: Location,
    shop: Shop,
    records: Records,
    verdict: Verdict | None = None,
    drift: DriftReport | None = None,
    evidently: bytes | None = None,
    succeeded: bool = True,
) -> Location:
    """Write ``report.html`` into a run's folder, also after a failure, and return where it is.

    ``records`` are the run's step records; ``evidently`` is the page that Evidently made of a sample. Other parts are
    read from the folder (``run.json``, ``verdict.json``, ``drift.json``, ``evidently.html``) where they exist. A
    sentence replaces each part that is missing.
    """
    files = read_run_files(run, records)
    report = outline_report(
        run,
        shop,
        records,
        RunFiles(files.run, verdict or files.verdict, drift or files.drift, evidently or files.evidently),
        succeeded,
    )
    write_document(run / REPORT, render_page(report).encode())
    return run / REPORT


def outline_report(run: Location, shop: Shop, records: Records, files: RunFiles, succeeded: bool) -> RunReport:
    """Gather all parts of the report."""
    outcomes = step_outcomes(records, succeeded, files.run.pipeline)
    failed = failed_step(outcomes)
    data, model = data_quality(records, shop.contract), model_card(records, shop)
    return RunReport(
        shop=formats.title(shop.name),
        currency=shop.currency,
        run_id=files.run.run_id or run.name,
        as_of=formats.in_zone(stood_at(records) or files.run.as_of, shop.zone) or "",
        k=shop.k,
        headline=_headline(run, shop, records, files, failed, succeeded),
        warnings=tuple(all_warnings(records)),
        answers=(
            what_came_in(data),
            what_was_learned(model),
            does_it_deserve(files.verdict, model.baseline if model else None),
        ),
        failed=failed,
        data=data,
        features=feature_gallery(records),
        model=model,
        quality=quality(files.verdict, records, shop),
        gate=conditions(files.verdict),
        drift=drift_section(files.drift, files.evidently),
        customers=customer_examples(records),
        timeline=timeline(outcomes),
        lineage=lineage(files.run, records),
        outcomes=outcomes,
        promoted=files.verdict is not None and files.verdict.promote,
    )


def _headline(
    run: Location, shop: Shop, records: Records, files: RunFiles, failed: StepOutcome | None, succeeded: bool
) -> Headline:
    if failed is not None or not succeeded:
        return failure_headline(failed, log_place(run, files.run.kubeflow_run, files.run.link))
    verdict = files.verdict
    if verdict is None:
        return undecided_headline(trained="train_ranker" in records)
    margin = margin_in_words(verdict, shop.k, shop.gate.confidence)
    trained = step_facts(records, "train_ranker", TrainingFacts)
    promotion = step_facts(records, "propose_promotion", PromotionFacts)
    return verdict_headline(verdict, margin, promotion, trained.baseline if trained else None)
