"""Kubeflow Pipelines, asked about the runs of the acceptance."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kfp.client import Client

from tests.acceptance.settings import Settings


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
