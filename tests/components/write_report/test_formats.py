"""Numbers and times as people write them."""

import pytest

from components.write_report import formats

NARROW = formats.NARROW


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (412, "412"), (92_331, "92,331"), (1_469_307, "1.47 million"), (2.5e9, "2.50 billion"), (None, "–")],  # noqa: RUF001
)
def test_count(value: float | None, written: str) -> None:
    assert formats.count(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.0321, "3.2 %"), (1.0, "100 %"), (0.0, "0 %"), (0.00001, "<0.01 %"), (0.0032, "0.32 %"), (0.9996, "100 %")],
)
def test_share(value: float, written: str) -> None:
    assert formats.share(value) == written.replace(" ", NARROW)


@pytest.mark.parametrize(("value", "written"), [(0.042, "+4.2 %"), (-0.0081, "-0.8 %"), (-0.0001, "0.0 %")])
def test_change(value: float, written: str) -> None:
    assert formats.change(value) == written.replace(" ", NARROW).replace("-", formats.MINUS)


@pytest.mark.parametrize(
    ("value", "written"), [(0, "0"), (1.2, "1.2"), (0.0456789, "0.0457"), (12345.6, "12,346"), (2.2e-5, "2.2e-05")]
)
def test_number(value: float, written: str) -> None:
    assert formats.number(value) == written.replace("-", formats.MINUS)


@pytest.mark.parametrize(
    ("seconds", "written"), [(0.42, "0.4 s"), (12.3, "12 s"), (200, "3 min 20 s"), (7_500, "2 h 5 min")]
)
def test_duration(seconds: float, written: str) -> None:
    assert formats.duration(seconds).replace(NARROW, " ") == written


@pytest.mark.parametrize(("currency", "written"), [("$", "$1,234.50"), ("EUR", "1,234.50 EUR"), ("", "1,234.50")])
def test_money(currency: str, written: str) -> None:
    assert formats.money(1234.5, currency).replace(NARROW, " ") == written


def test_times_are_written_out_and_other_text_is_left_alone() -> None:
    assert formats.moment("2017-08-28T06:30:00+00:00") == "28 August 2017, 06:30 UTC"
    assert formats.day("2017-08-28") == "28 August 2017"
    assert formats.day("soon") == "soon"


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
@pytest.mark.parametrize("write", [formats.count, formats.share, formats.change, formats.score, formats.number])
def test_what_is_no_number_is_a_dash(write: object, value: float | None) -> None:
    assert write(value) == formats.ABSENT  # type: ignore[operator]
