"""Why a run on Kubeflow failed: KFP says which tasks did, and their pods, where they can be seen, why.

KFP 2.17 leaves no message in a task that failed. What the step itself had to say stands in the run's home; a step whose
pod never began, or was killed for its memory, could say nothing.
"""

from collections.abc import Iterator
from typing import Any

from kfp.client import Client

from components.contracts.steps.declared import steps_of
from pipelines.kubeflow.pods import pod_troubles


def failure_of(client: Client, run_id: str, pipeline: str, namespace: str | None) -> str | None:
    """Return in one line which steps of a run failed, and what became of their pods; None where KFP does not say."""
    run = client.get_run(run_id)
    failed = list(dict.fromkeys(_failed(run, pipeline)))
    troubles = pod_troubles(run_id, namespace)
    named = [f"{step}: {troubles[step]}" if step in troubles else step for step in failed]
    message = (run.error.message if run.error else None) or ""
    said = "; ".join([*named, *([message] if message else [])])
    return said or None


def _failed(run: Any, pipeline: str) -> Iterator[str]:
    """Yield the steps that failed, or whose driver did; KFP also lists executors and graphs, and each of them twice."""
    known = steps_of(pipeline)
    for task in (run.run_details.task_details if run.run_details else None) or []:
        step = str(task.display_name).partition("(")[0].removesuffix("-driver").replace("-", "_")
        if step in known and task.state == "FAILED":
            yield step
