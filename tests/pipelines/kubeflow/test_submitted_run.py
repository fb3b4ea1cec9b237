"""A run on Kubeflow is shown from its home, as a run on this machine is."""

import pytest

from components.home.layout import Home
from components.home.runs.records import write_json
from components.home.runs.step_records import StepRecord
from components.home.storage.locations import BucketPath
from pipelines.kubeflow.access import Access
from pipelines.kubeflow.submission import Submission
from pipelines.kubeflow.submitted_run import followed
from tests.pipelines.kubeflow.fake_kfp import FakeKfp
from tests.servers import answering

RESULT = {"run_id": "r", "verdict": None, "reports": {}}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for a first answer: the machine may be busy."""
    monkeypatch.setattr("pipelines.kubeflow.client.LOOK_SECONDS", 60)


class WorkingKfp(FakeKfp):
    """A fake whose run works for two answers and leaves its records in its home, as pods do."""

    def __init__(self, home: Home | None) -> None:
        super().__init__()
        self._home, self._states = home, iter(("RUNNING", "RUNNING", "SUCCEEDED"))

    def state_of_run(self) -> str:
        if self._home is not None:
            run = self._home.run(self.posted[0]["runtime_config"]["parameters"]["run_id"])
            StepRecord("ingest_events", state="running", started=1.0).save(run)
            write_json(run / "result.json", RESULT)
        return next(self._states)


def test_steps_and_result_of_a_run_on_kubeflow_are_read_from_its_home(
    bucket: BucketPath, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(WorkingKfp(Home(bucket))) as kfp:
        outcome = followed(submission(kfp, str(bucket), wait=True), quiet=False)
    assert (outcome["state"], outcome["document"]) == ("SUCCEEDED", RESULT)
    assert "ingest_events         running" in capsys.readouterr().err


def test_a_success_whose_last_step_never_ran_is_said(bucket: BucketPath) -> None:
    """Kubeflow does not count an exit handler whose driver failed."""
    with answering(FakeKfp()) as kfp:
        outcome = followed(submission(kfp, str(bucket), wait=True), quiet=True)
    assert (outcome["state"], outcome["document"]) == ("SUCCEEDED", None)
    assert outcome["reason"].startswith("its last step, write_report, has not ended")


def test_a_home_that_cannot_be_read_from_here_is_said_once(
    bucket: BucketPath, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of somebody else")
    with answering(WorkingKfp(None)) as kfp:
        outcome = followed(submission(kfp, str(bucket), wait=True), quiet=False)
    assert (outcome["state"], outcome["document"]) == ("SUCCEEDED", None)
    assert capsys.readouterr().err.count("the steps cannot be shown: ") == 1


def test_a_run_that_is_not_waited_for_is_not_looked_at(bucket: BucketPath) -> None:
    with answering(WorkingKfp(Home(bucket))) as kfp:
        outcome = followed(submission(kfp, str(bucket), wait=False), quiet=False)
    assert (outcome["state"], outcome["document"]) == ("PENDING", None)


def submission(kfp: FakeKfp, home: str, wait: bool) -> Submission:
    parameters = {"shop": "/etc/rankloop/shop.toml", "home": home}
    return Submission("training", Access(host=kfp.url), parameters, "rankloop", wait)
