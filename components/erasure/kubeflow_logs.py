"""Erasing a user from what Kubeflow Pipelines keeps of a home's runs below its pipeline root.

Steps put only handles there, which name documents of the home; the reports lie in the home alone. KFP's launcher adds
what each step printed, and an error may name a user. ::

    PIPELINE_ROOT/training/KFP_RUN/build-features/ID/features         the handle
                                                     executor-logs-0  what the step printed, a file a try
"""

import json
from collections.abc import Iterable

from components.erasure.search import by_bytes
from components.home.data_subject import DataSubject, Erased
from components.home.runs.records import RunRecord
from components.home.storage.documents import objects_below, remove_documents
from components.home.storage.locations import BucketPath
from components.home.storage.scratch import uncached_file


def erase_logs(runs: Iterable[RunRecord], pipeline_root: BucketPath, person: DataSubject) -> Erased:
    """Remove the logs of runs that name a user; return how many lines did, and how many objects were searched.

    Raises:
        ConfigurationError, StorageError: the bucket cannot be used.
    """
    folders = folders_of(runs, pipeline_root)
    lines = {one.location: _lines_that_name(one.location, person) for each in folders for one in objects_below(each)}
    named = [location for location, count in lines.items() if count]
    remove_documents(named)
    return Erased(sum(lines.values()), files=len(named), searched=len(lines))


def folders_of(runs: Iterable[RunRecord], pipeline_root: BucketPath) -> list[BucketPath]:
    """Return where Kubeflow keeps what runs have left, whether anything is there or not."""
    return [pipeline_root / run.pipeline / run.kubeflow_run for run in runs if run.kubeflow_run]


def _lines_that_name(log: BucketPath, person: DataSubject) -> int:
    """Count the lines with the id, in quotes where it may stand there by chance."""
    quoted = (repr(person.user_id).encode(), json.dumps(person.user_id).encode())
    with uncached_file(log) as path, path.open("rb") as lines:
        if by_bytes(person):
            return sum(person.token.search(line) is not None for line in lines)
        return sum(any(each in line for each in quoted) for line in lines)
