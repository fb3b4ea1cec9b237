"""Pods of a run that are deleted at random moments, as when nodes vanish."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from components.contracts.steps.declared import steps_of
from pipelines.kubeflow.pods import NODE, step_of
from pipelines.kubernetes import NAME
from tests.acceptance.journal import note

OUR_PODS = f"app.kubernetes.io/part-of={NAME}"
LOOK_SECONDS = 0.5
LONGEST_SECONDS = 5.0  # after a pod was seen running; a step that has ended by then is spared


class Deletions:
    """Deletes the pod of some steps, once each."""

    def __init__(self, api: client.CoreV1Api, namespace: str, moments: dict[str, float]) -> None:
        self._api, self._namespace = api, namespace
        self._moments = moments  # seconds after the pod began, by step
        self._seen: dict[str, float] = {}
        self.deleted: list[str] = []

    def look(self) -> None:
        """Delete each pod whose moment has come."""
        pods = self._api.list_namespaced_pod(self._namespace, label_selector=OUR_PODS, _request_timeout=10).items
        for pod in (pod for pod in pods if pod.status.phase == "Running"):
            step = str(step_of(pod.metadata.annotations[NODE]))
            seconds = time.monotonic() - self._seen.setdefault(step, time.monotonic())
            if step not in self.deleted and seconds >= self._moments.get(step, float("inf")):
                self._delete(step, pod)

    def _delete(self, step: str, pod: Any) -> None:
        self._api.delete_namespaced_pod(pod.metadata.name, self._namespace, grace_period_seconds=0)
        self.deleted.append(step)
        note(f"        deleted the pod of {step}, {self._moments[step]:.1f} s after it began")


@contextmanager
def deleting_pods(api: client.CoreV1Api, namespace: str, pipeline: str, count: int) -> Iterator[list[str]]:
    """Delete the pods of that many steps while the block lasts; give the list of those that were deleted."""
    draw = random.SystemRandom()
    moments = {step: draw.uniform(0, LONGEST_SECONDS) for step in draw.sample(steps_of(pipeline), count)}
    deletions, ended = Deletions(api, namespace, moments), threading.Event()

    def look_often() -> None:
        while not ended.wait(LOOK_SECONDS):
            with suppress(ApiException, OSError):  # it has ended already, or the server is busy
                deletions.look()

    thread = threading.Thread(target=look_often)
    thread.start()
    try:
        yield deletions.deleted
    finally:
        ended.set()
        thread.join()
