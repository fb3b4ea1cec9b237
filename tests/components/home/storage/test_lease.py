import time
from datetime import timedelta

import pytest

from components.contracts.errors import ConfigurationError, HomeBusyError
from components.home.layout import Home
from components.home.runs.lock import hold_lock
from components.home.storage import lease as lease_module
from components.home.storage.documents import write_document
from components.home.storage.lease import lease_holder, resume_lease, take_lease
from components.home.storage.locations import BucketPath
from tests.waiting import until


class Server:
    """The server's clock as the lease sees it, some seconds ahead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        real = lease_module.server_time
        monkeypatch.setattr(lease_module, "server_time", lambda place: real(place) + timedelta(seconds=self.ahead))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def test_one_run_holds_a_home(bucket: BucketPath) -> None:
    lease = take_lease(bucket / "lock", "run-1")
    with pytest.raises(HomeBusyError, match="run run-1 is at work in it"):
        take_lease(bucket / "lock", "run-2")
    assert (lease_holder(bucket / "lock") or lease.document).run_id == "run-1"
    lease.release()
    assert lease_holder(bucket / "lock") is None
    following = take_lease(bucket / "lock", "run-2")
    assert (following.epoch, following.after_expiry) == (2, False)


def test_the_steps_of_a_run_share_its_lease(bucket: BucketPath, server: Server) -> None:
    runner = take_lease(bucket / "lock", "run-1", seconds=60)
    step = resume_lease(bucket / "lock", "run-1")
    runner.renew()  # the step was faster, so this one writes again
    written = lease_holder(bucket / "lock")
    assert written == runner.document != step.document
    assert runner.epoch == step.epoch == 1


def test_a_lease_that_has_expired_goes_to_another_run(bucket: BucketPath, server: Server) -> None:
    lost = take_lease(bucket / "lock", "run-1", seconds=60)
    server.ahead = 61
    assert lease_holder(bucket / "lock") is None
    taken = take_lease(bucket / "lock", "run-2", seconds=60)
    assert (taken.epoch, taken.after_expiry) == (2, True)
    assert take_lease(bucket / "lock", "run-2").after_expiry  # a later step of the run knows it too
    with pytest.raises(HomeBusyError, match="run run-1 has lost its lease, and run run-2 has it now"):
        lost.renew()
    lost.release()
    taken.renew()
    with pytest.raises(HomeBusyError, match="has lost its lease"):
        resume_lease(bucket / "lock", "run-1")


def test_a_holder_that_was_paused_past_its_time_finds_out_before_it_commits(
    bucket: BucketPath, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = take_lease(bucket / "lock", "run-1", seconds=60)
    paused.check()
    server.ahead = 61
    take_lease(bucket / "lock", "run-2", seconds=60)
    real = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda clock: real(clock) + 61)
    with pytest.raises(HomeBusyError, match="nothing more is written"):
        paused.check()


def test_a_lease_that_was_given_up_is_lost(bucket: BucketPath) -> None:
    lease = take_lease(bucket / "lock", "run-1")
    resume_lease(bucket / "lock", "run-1").release()
    with pytest.raises(HomeBusyError, match="nobody has it now"):
        lease.renew()
    with pytest.raises(HomeBusyError, match="nobody has it now"):
        lease.check()  # the loss is remembered


def test_giving_up_a_lease_that_another_run_took_leaves_it_there(bucket: BucketPath, server: Server) -> None:
    lost = take_lease(bucket / "lock", "run-1", seconds=60)
    server.ahead = 61
    taken = take_lease(bucket / "lock", "run-2", seconds=60)
    server.ahead = 0
    lost.release()
    assert lease_holder(bucket / "lock") == taken.document
    taken.renew()


def test_a_lease_is_renewed_before_a_write_that_the_store_may_delay(
    bucket: BucketPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = take_lease(bucket / "lock", "run-1", seconds=600)
    before, real = lease.document, time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda clock: real(clock) + 400)
    lease.check()
    assert lease.document == before
    monkeypatch.setattr(time, "clock_gettime", lambda clock: real(clock) + 540)
    lease.check()
    assert lease.document != before


def test_what_is_no_lease_is_one_line(bucket: BucketPath) -> None:
    write_document(bucket / "lock", b'{"of": "a later version"}')
    with pytest.raises(ConfigurationError, match="found what is no lease"):
        take_lease(bucket / "lock", "run-1")


def test_a_lease_is_renewed_beside_the_work_of_a_step(bucket: BucketPath) -> None:
    lease = take_lease(bucket / "lock", "run-1", seconds=0.6)
    before = lease.document
    with lease.kept_alive():
        until(lambda: lease.document != before)
    assert (lease.document.epoch, lease.document.run_id) == (1, "run-1")


def test_work_without_steps_that_was_killed_is_waited_for_as_long_as_a_write_may_take(bucket: BucketPath) -> None:
    with (
        hold_lock(Home(bucket), "forget"),
        pytest.raises(HomeBusyError, match="wait for it to end, or for its lease of 150 s to pass"),
        hold_lock(Home(bucket), "forget"),
    ):
        pass


def test_work_that_is_alone_excludes_other_work_of_its_name(bucket: BucketPath) -> None:
    lease = take_lease(bucket / "lock", "forget", alone=True)
    with pytest.raises(HomeBusyError, match="run forget is at work in it"):
        take_lease(bucket / "lock", "forget", alone=True)
    lease.release()
    take_lease(bucket / "lock", "forget", alone=True)


def test_who_may_only_read_sees_the_holder_all_the_same(bucket: BucketPath, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = take_lease(bucket / "lock", "run-1")

    def refused(place: BucketPath) -> None:
        raise ConfigurationError("the credentials are refused")

    monkeypatch.setattr(lease_module, "server_time", refused)
    assert lease_holder(bucket / "lock") == lease.document
