"""The steps of the pipelines: each is declared once, and all have a result of one type.

::

    STEPS              names, words and types of facts, by hand
    pipelines.toml     the steps of each pipeline in order; `rankloop compile` reads them off the pipeline itself
    StepResult         what the logic of a step returns, and ``Step.finish`` writes down
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from components.contracts.handles import Handle
from components.contracts.steps.facts import (
    DriftFacts,
    EvaluationFacts,
    ExamplesFacts,
    FeatureFacts,
    IngestionFacts,
    OnlineFacts,
    PromotionFacts,
    PublicationFacts,
    TrainingFacts,
    ValidationFacts,
)

ORDER_FILE = Path(__file__).parents[2] / "pipelines.toml"
PIPELINES = ("training", "monitoring")  # modules and functions of ``pipelines``
REPORTING = "write_report"  # the exit handler of every pipeline

Facts = TypeVar("Facts")


@dataclass(frozen=True)
class StepInfo:
    """A step: its name (also of its folder and component), what it does in words, and the type of its facts."""

    name: str
    words: str
    facts: type | None = None  # None: it tells none


STEPS = (  # of two that could run next, the one that stands first here is shown first
    StepInfo("ingest_events", "Read what the shop has recorded", IngestionFacts),
    StepInfo("validate_events", "Check it against the data contract", ValidationFacts),
    StepInfo("build_features", "Compute features, day by day", FeatureFacts),
    StepInfo("materialize_features", "Put the newest features where the service reads them", OnlineFacts),
    StepInfo("build_training_set", "Turn the past into ranking examples", ExamplesFacts),
    StepInfo("train_ranker", "Learn to put candidates in order", TrainingFacts),
    StepInfo("evaluate_ranker", "Judge it on weeks it has not seen", EvaluationFacts),
    StepInfo("publish_bundle", "Seal the model", PublicationFacts),
    StepInfo("propose_promotion", "Promote it, or leave everything as it is", PromotionFacts),
    StepInfo("detect_drift", "Compare the newest data with what the live ranker learned from", DriftFacts),
    StepInfo(REPORTING, "Write this report"),
)
WORDS = {step.name: step.words for step in STEPS}


@dataclass(frozen=True)
class StepResult(Generic[Facts]):
    """The result of a step: a handle of its data, row counts, and facts for the report.

    ``warnings`` are one line each, with a value, the key of the shop file and the fix; they do not stop the run.
    """

    handle: Handle
    rows_in: int | None
    rows_out: int | None
    facts: Facts
    warnings: tuple[str, ...] = ()


@cache
def steps_of(pipeline: str) -> tuple[str, ...]:
    """Return the names of a pipeline's steps, each after those it needs."""
    order: dict[str, Any] = tomllib.loads(ORDER_FILE.read_text())
    return tuple(order[pipeline])
