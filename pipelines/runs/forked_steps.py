"""Steps of a local run as forks of the KFP process, which has imported what most of them need.

``kfp.local`` starts a shell and a fresh Python for every step, and each of them imports KFP and the data libraries
again: without forks, a run on little data takes 1.4 times as long (decision 78). A fork is a process of its own just
as well: it ends, fails and is killed alone, with the same executor, arguments, environment and log.
"""

import gc
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp

# In the order in which steps need them. Importing one starts no thread of Python and no connection; the native threads
# of jemalloc and OpenBLAS are idle then, and both libraries handle forks.
LIBRARIES = ("pandas", "deltalake", "duckdb", "ibis", "sqlglot.dialects.duckdb", "xgboost")


def fork_steps() -> None:
    """Let ``kfp.local`` fork its steps, where that is safe: the system libraries of macOS do not survive a fork."""
    from kfp.local import subprocess_task_handler

    remaining = iter(LIBRARIES)

    def run_forked(full_command: Sequence[str], env_vars: Mapping[str, str] | None = None) -> int:
        sys.stdout.flush()
        gc.freeze()  # a fork that collects garbage leaves the shared pages alone
        step = os.fork()
        if step == 0:
            os._exit(_executed(full_command, env_vars or {}))
        return os.waitstatus_to_exitcode(_ended(step, remaining))

    if sys.platform == "linux":
        subprocess_task_handler.run_local_subprocess = run_forked


def _ended(step: int, libraries: Iterator[str]) -> int:
    """Wait for a step, and meanwhile import what later ones need; return its wait status."""
    for name in libraries:
        import_module(name)
        ended, status = os.waitpid(step, os.WNOHANG)
        if ended:
            return status
    return os.waitpid(step, 0)[1]


def _executed(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run KFP's executor here on ``sh -ec SCRIPT SOURCE ARGUMENT...``, a component's command; return its exit code."""
    from kfp.dsl.executor_main import executor_main

    _, _, _, source, *arguments = command
    module = Path(mkdtemp()) / "ephemeral_component.py"
    module.write_text(source, encoding="utf-8")
    os.environ.update(variables)
    sys.argv = ["executor_main", "--component_module_path", str(module), *arguments]
    try:
        executor_main()
    except SystemExit as end:
        return int(bool(end.code))
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
    return 0
