"""KFP's recurring runs: which are ours, what they hold, and the calls that change them."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from kfp.client import Client
from kfp_server_api import V2beta1RecurringRun
from kfp_server_api.exceptions import ApiException

from components.home.runs.kubeflow import SCHEDULED
from pipelines.kubeflow.client import FORBIDDEN, NOT_FOUND, experiment_id, ignoring, in_namespace, pages
from pipelines.kubeflow.patience import LOST, Patience, repeated
from pipelines.kubeflow.versions import Version, equals
from pipelines.schedules.cron import Cron, read_kfp_cron
from pipelines.schedules.planner import Call, Create, Delete, Disable, Enable, RecurringRun, Wait, Wanted
from pipelines.schedules.reconciliation import Listing
from pipelines.schedules.schedule_file import Schedule, ScheduleFile

MARK = re.compile(r"\[rankloop owner=(?P<owner>\S+) content=(?P<content>[0-9a-f]+)(?P<paused> paused)?\]$")
ORPHANED = re.compile(r"scheduledworkflows\.kubeflow\.org \S+ not found")  # with status 500
ORPHAN = "ORPHAN"  # else deleting a schedule ends the runs that it has started


@dataclass(frozen=True)
class Recurring:
    """All that a recurring run of the file holds."""

    schedule: Schedule
    owner: str
    zone: ZoneInfo
    experiment: str
    version: str  # the name of the pipeline's version
    parameters: Mapping[str, Any]  # all of them, of the types that the pipeline declares

    @property
    def wanted(self) -> Wanted:
        """The schedule, as the planner compares it."""
        cron = Cron(self.schedule.cron, self.zone)
        return Wanted(self.schedule.name, self.content, self.schedule.enabled, cron)

    @property
    def content(self) -> str:
        """The digest of everything that KFP is given."""
        held = self.schedule.model_dump() | {"experiment": self.experiment, "version": self.version}
        return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def description(self) -> str:
        """What people read in KFP, and the mark."""
        paused = "" if self.schedule.enabled else " paused"
        mark = f"[rankloop owner={self.owner} content={self.content}{paused}]"
        return f"{self.schedule.pipeline} at {self.schedule.cron}, by `rankloop schedules`; change it in Git. {mark}"


def own_parameters(version: str) -> dict[str, Any]:
    """Return the parameters that the file need not name: each run takes its id from KFP's."""
    return {"run_id": SCHEDULED, "fingerprint": {"version": version}}


class KfpScheduler:
    """The recurring runs of one owner in KFP."""

    def __init__(
        self,
        client: Client,
        file: ScheduleFile,
        wanted: list[Recurring],
        namespace: str | None,
        upload: Callable[[str], Version],
        new_patience: Callable[[], Patience],
    ) -> None:
        self._client, self._file, self._namespace, self._upload = client, file, namespace, upload
        self._wanted = {one.schedule.name: one for one in wanted}
        self._lists, self._calls = new_patience(), new_patience()

    def listing(self) -> Listing:
        """Return our recurring runs, with the last tick of each, and the server's clock."""
        return repeated(self._listing, self._lists)

    def perform(self, call: Call) -> None:
        """Make a call; one that is gone, is gone. While the server is away nothing is done: list again, and plan."""
        try:
            self._perform(call)
        except LOST as error:
            self._calls.bear(error)
        else:
            self._calls.answered()

    def is_orphaned(self, run: RecurringRun) -> bool:
        """Say whether an enabled one starts nothing, because its ScheduledWorkflow went with its namespace.

        KFP lists it as before; asked to enable it once more, which changes nothing, it says so.
        """
        try:
            repeated(lambda: self._client.enable_recurring_run(run.id), self._calls)
        except ApiException as error:
            if error.status == NOT_FOUND or ORPHANED.search(str(error.body)):
                return True
            if error.status != FORBIDDEN:  # one who may only read cannot know
                raise
        return False

    def _perform(self, call: Call) -> None:
        if isinstance(call, Create):
            self._create(self._wanted[call.wanted.name], call.start)
        elif isinstance(call, Delete):
            self._delete(call.run.id)
        else:
            self._switch(call)

    def wait(self, wait: Wait, now: datetime) -> None:
        """Sleep until a moment of the server's clock."""
        time.sleep(max(1.0, (wait.until - now).total_seconds()))

    def _listing(self) -> Listing:
        """Read our recurring runs, and KFP's clock when it began to list them."""
        listed = self._client._recurring_run_api.recurring_run_service_list_recurring_runs_with_http_info
        answers = list(pages(listed, **in_namespace(self._namespace)))
        marked = ((one, self._mark(one)) for answer, _ in answers for one in answer.recurring_runs or [])
        clock = parsedate_to_datetime(answers[0][1]["Date"])
        return Listing(clock, [self._read(one, mark) for one, mark in marked if mark])

    def _mark(self, run: V2beta1RecurringRun) -> re.Match[str] | None:
        mark = MARK.search(run.description or "")
        return mark if mark and mark["owner"] == self._file.owner else None

    def _read(self, run: V2beta1RecurringRun, mark: re.Match[str]) -> RecurringRun:
        cron = run.trigger.cron_schedule if run.trigger else None
        return RecurringRun(
            id=run.recurring_run_id,
            name=run.display_name,
            content=mark["content"],
            paused=mark["paused"] is not None,
            enabled=run.mode == "ENABLE",
            cron=read_kfp_cron(cron.cron, self._file.zone) if cron and cron.cron else None,
            created=run.created_at,
            start=cron.start_time if cron else None,
            updated=run.updated_at,
            last_tick=self._last_tick(run.recurring_run_id),
        )

    def _last_tick(self, run_id: str) -> datetime | None:
        runs = self._client._run_api.run_service_list_runs(
            page_size=1,
            sort_by="scheduled_at desc",
            filter=equals("recurring_run_id", run_id),
            **in_namespace(self._namespace),
        ).runs
        tick: datetime | None = runs[0].scheduled_at if runs else None
        return tick

    def _create(self, one: Recurring, start: datetime | None) -> None:
        version, schedule = self._upload(one.schedule.pipeline), one.schedule
        self._client.create_recurring_run(
            experiment_id(self._client, one.experiment, self._namespace),
            schedule.name,
            description=one.description,
            start_time=start.isoformat() if start else None,
            cron_expression=Cron(schedule.cron, one.zone).with_seconds,
            no_catchup=not schedule.catch_up,
            params=dict(one.parameters),
            pipeline_id=version.pipeline_id,
            version_id=version.version_id,
            enabled=False,
            service_account=schedule.service_account,
        )

    def _switch(self, call: Enable | Disable) -> None:
        """Enable or disable one. If its ScheduledWorkflow went with the namespace, it starts nothing: delete it."""
        run_id = call.run.id
        switch = self._client.enable_recurring_run if isinstance(call, Enable) else self._client.disable_recurring_run
        try:
            switch(run_id)
        except ApiException as error:
            if ORPHANED.search(str(error.body)):
                self._delete(run_id)
            elif isinstance(call, Enable) or error.status != NOT_FOUND:
                raise

    def _delete(self, run_id: str) -> None:
        delete = self._client._recurring_run_api.recurring_run_service_delete_recurring_run
        with ignoring(NOT_FOUND):
            delete(run_id, propagation_policy=ORPHAN)
