"""How much one caller may ask."""

import pytest
from starlette.exceptions import HTTPException

from components.ranking_service.answering import admission
from components.ranking_service.answering.admission import Rates
from components.ranking_service.settings import Limits
from tests.components.ranking_service.clocks import Clock


def test_a_caller_may_send_a_burst_and_then_its_rate() -> None:
    clock = Clock(100.0)
    rates = Rates(Limits(per_second=10, burst=3), clock)
    for _ in range(3):
        rates.admit("web")
    with pytest.raises(HTTPException) as refused:
        rates.admit("web")
    assert (refused.value.status_code, refused.value.headers) == (429, {"Retry-After": "1"})
    rates.admit("partner")
    clock.now = 100.1
    rates.admit("web")
    with pytest.raises(HTTPException):
        rates.admit("web")
    clock.now = 200.0
    for _ in range(3):
        rates.admit("web")


def test_a_slow_rate_says_when_to_come_again() -> None:
    clock = Clock()
    rates = Rates(Limits(per_second=0.1, burst=1), clock)
    rates.admit("web")
    clock.now = 3.5
    with pytest.raises(HTTPException) as refused:
        rates.admit("web")
    assert refused.value.headers == {"Retry-After": "7"}


def test_a_caller_pays_for_what_its_requests_cost() -> None:
    rates = Rates(Limits(per_second=10, burst=3), Clock())
    rates.admit("web")
    rates.charge("web", 21)
    rates.admit("partner")
    with pytest.raises(HTTPException) as refused:
        rates.admit("web")
    assert refused.value.headers == {"Retry-After": "2"}, "two seconds for twenty, less a burst of three"


def test_only_so_many_callers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "CALLERS", 2)
    rates = Rates(Limits(per_second=0.1, burst=1), Clock())
    for caller in ("a", "b", "c"):
        rates.admit(caller)
    rates.admit("a")
    assert len(rates) == 2
    with pytest.raises(HTTPException):
        rates.admit("c")


def test_callers_are_told_apart_by_their_first_characters() -> None:
    rates = Rates(Limits(per_second=0.1, burst=1), Clock())
    rates.admit("x" * admission.NAME_LENGTH + "one")
    with pytest.raises(HTTPException):
        rates.admit("x" * admission.NAME_LENGTH + "another")
