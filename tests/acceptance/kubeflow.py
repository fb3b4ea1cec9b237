"""Kubeflow Pipelines, asked about the runs of the acceptance."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from kfp.client import Client

from pipelines.kubeflow.client import final_state
from pipelines.kubeflow.patience import AWAY_FOR_READERS, SECONDS, Patience
from tests.acceptance.journal import note
from tests.acceptance.settings import Settings
from tests.waiting import until

PAUSE_SECONDS, START_SECONDS = 1, 300  # a schedule of every minute starts its first run within two
LONGEST_RUN = timedelta(hours=1)


@dataclass(frozen=True)
class Kubeflow:
    """Kubeflow Pipelines with a token of an account of the namespace."""

    settings: Settings
    token: str = field(repr=False)

    @cached_property
    def client(self) -> Client:
        """Its own client."""
        return Client(host=self.settings.host, namespace=self.settings.namespace, existing_token=self.token)

    def require_users(self) -> None:
        """Fail where Kubeflow runs pods in its own namespace only, which no fence may enclose."""
        assert self.client.get_kfp_healthz().multi_user, (
            "this Kubeflow is single-user: it runs pods only in its own namespace; the acceptance needs a namespace of "
            "its own, so a Kubeflow with users (MULTIUSER=true); docs/kubernetes.md says what differs"
        )

    def recurring_runs(self) -> list[Any]:
        """Return the recurring runs of the namespace."""
        return self.client.list_recurring_runs(namespace=self.settings.namespace).recurring_runs or []

    def first_run_of(self, recurring_run: Any) -> str:
        """Wait for the first run that a recurring run starts, and return its id."""
        until(
            lambda: bool(self._runs_of(recurring_run)),
            lambda: f"{recurring_run.display_name}: no run was started",
            PAUSE_SECONDS,
            START_SECONDS,
        )
        return str(self._runs_of(recurring_run)[0].run_id)

    def wait_for(self, run_id: str) -> str:
        """Wait until a run has ended, and return its state."""
        return final_state(self.client, run_id, LONGEST_RUN, Patience(SECONDS, note, AWAY_FOR_READERS))

    def _runs_of(self, recurring_run: Any) -> list[Any]:
        return [run for run in self._runs() if run.recurring_run_id == recurring_run.recurring_run_id]

    def delete_records(self) -> None:
        """Delete every recurring run, run, experiment and pipeline of the namespace, and look that none is left."""
        for recurring_run in self.recurring_runs():
            self.client.delete_recurring_run(recurring_run.recurring_run_id)
        for run in self._runs():
            self.client.archive_run(run.run_id)
            self.client.delete_run(run.run_id)
        for experiment in self._experiments():
            self.client.delete_experiment(experiment.experiment_id)
        for pipeline in self._pipelines():
            self._delete_pipeline(pipeline.pipeline_id)
        left = self.recurring_runs() + self._runs() + self._experiments() + self._pipelines()
        assert not left, f"left in {self.settings.namespace}: {left}"

    def _delete_pipeline(self, pipeline_id: str) -> None:
        """Delete a pipeline after its versions: Kubeflow deletes no pipeline that has some."""
        for version in self.client.list_pipeline_versions(pipeline_id, page_size=100).pipeline_versions or []:
            self.client.delete_pipeline_version(pipeline_id, version.pipeline_version_id)
        self.client.delete_pipeline(pipeline_id)

    def _runs(self) -> list[Any]:
        return self.client.list_runs(page_size=100, namespace=self.settings.namespace).runs or []

    def _experiments(self) -> list[Any]:
        return self.client.list_experiments(page_size=100, namespace=self.settings.namespace).experiments or []

    def _pipelines(self) -> list[Any]:
        """Return the pipelines of the namespace; those that all users share are not among them."""
        return self.client.list_pipelines(page_size=100, namespace=self.settings.namespace).pipelines or []
