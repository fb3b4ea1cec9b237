"""The process that runs a KFP pipeline on this machine: its own session, its output in the run's log.

It holds its parent's leash, a pipe: when the parent is gone, however it went, the whole process group goes too, so
that no step of a killed run writes on.
"""

import json
import os
import signal
import sys
import threading
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from components.contracts.json_documents import parse_json
from pipelines.runs.forked_steps import fork_steps


@dataclass(frozen=True)
class Job:
    """A job: ``module:function`` of a pipeline, its arguments, and the folder of KFP's own files."""

    pipeline: str
    folder: str
    leash: int  # file descriptor of the pipe's reading end
    arguments: dict[str, Any] = field(default_factory=dict)

    def dump(self) -> str:
        """Return the job as the process's argument."""
        return json.dumps(asdict(self))


def main() -> int:
    """Run the job given as the first argument; 0 when every step succeeded."""
    job = parse_json(Job, sys.argv[1])
    threading.Thread(target=_follow, args=(job.leash,), daemon=True).start()
    from kfp import local

    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=job.folder,
        workspace_root=str(Path(job.folder) / "workspace"),
    )
    fork_steps()
    module, name = job.pipeline.split(":")
    pipeline = getattr(import_module(module), name)
    _try_once(pipeline)
    try:
        pipeline(**job.arguments)
    except RuntimeError as error:  # how kfp.local says that a step failed; the step's record says why
        print(error, file=sys.stderr)
        return 1
    return 0


def _try_once(pipeline: Any) -> None:
    """Drop the retries of a pipeline's tasks: they are for pods that are evicted, and would delay every error here."""
    specification = pipeline.pipeline_spec
    for graph in (specification.root, *specification.components.values()):
        for task in graph.dag.tasks.values():
            task.ClearField("retry_policy")


def _follow(leash: int) -> None:
    os.read(leash, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    raise SystemExit(main())
