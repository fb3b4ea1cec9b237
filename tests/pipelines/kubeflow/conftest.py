"""A fake of KFP, served on loopback."""

from collections.abc import Iterator

import pytest

from tests.pipelines.kubeflow.fake_kfp import FakeKfp
from tests.servers import answering


@pytest.fixture
def kfp_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKfp]:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")  # a run of a test has no pods
    monkeypatch.setattr("pipelines.kubeflow.client.LOOK_SECONDS", 60)  # on a busy machine
    monkeypatch.setattr("pipelines.kubeflow.submission.code_digest", lambda: "c0de")  # a second of the processor
    with answering(FakeKfp()) as server:
        yield server
