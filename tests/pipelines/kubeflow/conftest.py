"""A fake of KFP, served on loopback."""

from collections.abc import Iterator

import pytest

from tests.pipelines.kubeflow.fake_kfp import FakeKfp, serving


@pytest.fixture
def kfp_host(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKfp]:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")  # the pods of this machine's cluster are nobody's business here
    monkeypatch.setattr("pipelines.kubeflow.client.LOOK_SECONDS", 60)  # on a busy machine
    monkeypatch.setattr("pipelines.kubeflow.submission.code_digest", lambda: "c0de")  # a second of the processor
    with serving(FakeKfp()) as server:
        yield server
