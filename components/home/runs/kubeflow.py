"""A run on Kubeflow, as its pods know it.

A run that is submitted brings its id. One that a schedule starts gets the word ``scheduled``, because the parameters of
a recurring run never change; its first step gives it an id. The others find it by the id of KFP's run, which every pod
has and the run's record holds.
"""

import os

from components.contracts.errors import ConfigurationError
from components.contracts.urls import public_host
from components.home.layout import Home
from components.home.runs.records import has_run, new_run_id, read_run, run_ids

SCHEDULED = "scheduled"
RUN_VARIABLE = "RANKLOOP_KFP_RUN"  # the id of KFP's run
ADDRESS_VARIABLE = "RANKLOOP_KFP_URL"  # where people see Kubeflow Pipelines


def kubeflow_run() -> str | None:
    """Return the id of KFP's run that this process is a step of."""
    return os.environ.get(RUN_VARIABLE) or None


def kubeflow_link() -> str | None:
    """Return the address of KFP's run for people, where the environment says where Kubeflow is seen."""
    address, run = os.environ.get(ADDRESS_VARIABLE), kubeflow_run()
    return run_address(address, run) if address and run else None


def run_address(address: str, run: str) -> str:
    """Return where people see a run of KFP; the address may be one that was copied from the browser."""
    return f"{public_host(address).rstrip('/')}/#/runs/details/{run}"


def first_id(home: Home, run_id: str) -> str:
    """Return the id of a run that begins: as it was given, or a new one where a schedule has started it.

    A first step that is tried again finds the run it has begun.
    """
    return run_id if run_id != SCHEDULED else _begun(home) or new_run_id(home)


def begun_id(home: Home, run_id: str) -> str:
    """Return the id of a run that has begun.

    Raises:
        ConfigurationError: a schedule has started it, and its first step has not begun it.
    """
    if run_id != SCHEDULED:
        return run_id
    begun = _begun(home)
    if begun is None:
        raise ConfigurationError(
            f"found no run in {home.runs} of KFP's run {kubeflow_run()}, expected that its first step has begun it"
        )
    return begun


def _begun(home: Home) -> str | None:
    if (run := kubeflow_run()) is None:
        raise ConfigurationError(
            f"run_id: found {SCHEDULED!r} without {RUN_VARIABLE}, as outside of Kubeflow; give the run an id"
        )
    return run_of(home, run)


def run_of(home: Home, kfp_run: str) -> str | None:
    """Return the id of the run that a run of KFP has begun, the newest runs first; None where it has not."""
    ids = (run_id for run_id in reversed(run_ids(home)) if has_run(home, run_id))
    return next((run_id for run_id in ids if read_run(home, run_id).kubeflow_run == kfp_run), None)
