"""Kubeflow Pipelines, asked about the runs of the acceptance."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kfp.client import Client

from tests.acceptance.settings import Settings


@dataclass(frozen=True)
class Kubeflow:
    """Kubeflow Pipelines with a token of an account of the namespace."""

    settings: Settings
    token: str

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

    def delete_runs(self) -> None:
        """Delete the records of every run and experiment of the namespace, and look that none is left."""
        namespace = self.settings.namespace
        for run in self._runs():
            self.client.archive_run(run.run_id)
            self.client.delete_run(run.run_id)
        for experiment in self._experiments():
            self.client.delete_experiment(experiment.experiment_id)
        assert not self._runs(), f"runs are left in {namespace}"
        assert not self._experiments(), f"experiments are left in {namespace}"

    def _runs(self) -> list[Any]:
        return self.client.list_runs(page_size=100, namespace=self.settings.namespace).runs or []

    def _experiments(self) -> list[Any]:
        return self.client.list_experiments(page_size=100, namespace=self.settings.namespace).experiments or []
