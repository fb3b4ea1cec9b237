"""What makes a run new: every file of the packages, and nothing beside them."""

import ast
import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components.feedback.segment_sink import journal_sink
from components.feedback.segments.files import segments
from components.feedback.segments.layout import FeedbackLayout
from pipelines.runs import fingerprints
from pipelines.runs.fingerprints import PACKAGES, ROOT, sources_fingerprint, syntax_digest
from tests.components.feedback.rows import a_list, an_event
from tests.shop_files import ShopFolder, shop_folder

SOURCE = '''
"""Say so."""

LIMIT = 10
"""How many."""


def over(number: int, limit: int = LIMIT) -> bool:
    """Say whether a number is over a limit."""
    return number > limit or f"{number:>3}" == "x"
'''
SAME = """
LIMIT = (10)   # another comment


def over(
    number: int,
    limit: int = LIMIT,
) -> bool:
    return (number > limit) or (
        f'{number:>3}' == 'x'
    )
"""
HOUR = timedelta(hours=1)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small tree in place of the project's own packages."""
    monkeypatch.setattr(fingerprints, "ROOT", tmp_path)
    package = tmp_path / "components"
    package.mkdir()
    (package / "step.py").write_text("answer = 42")
    return package


@pytest.mark.parametrize("name", ["step.py", "templates/report.js", "store.yaml", "images.toml", "LICENSE", ".ignore"])
def test_a_file_of_any_kind_makes_a_run_new(package: Path, name: str) -> None:
    before = fingerprints.code_digest()
    file = package / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("answer = 43")
    assert fingerprints.code_digest() != before


def test_comments_docstrings_and_formatting_do_not(package: Path) -> None:
    before, files = fingerprints.code_digest(), fingerprints.files_digest()
    (package / "step.py").write_text('"""Answer."""\n\nanswer   =  (42)  # of everything\n')
    assert (fingerprints.code_digest(), fingerprints.files_digest() == files) == (before, False)


def test_a_module_that_is_not_python_is_digested_as_it_is(package: Path) -> None:
    (package / "step.py").write_text("answer = ")
    assert fingerprints.code_digest()


@pytest.mark.parametrize("name", ["components/__pycache__/step.cpython-311.pyc", "pipelines/shops/other.toml"])
def test_bytecode_and_other_shops_do_not(package: Path, name: str) -> None:
    before = fingerprints.code_digest()
    file = package.parent / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"anything")
    assert fingerprints.code_digest() == before


def test_comments_docstrings_and_formatting_say_nothing() -> None:
    assert syntax_digest(SAME.encode()) == syntax_digest(SOURCE.encode())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("> limit", ">= limit"),
        ("= 10", "= 10.0"),
        ("= 10", "= '10'"),
        ("LIMIT = 10", "LIMIT = 10; MORE = None"),
        ("or f", "and f"),
        (":>3", ":<3"),
        ("number > limit", "limit > number"),
        ("limit: int = LIMIT", "*, limit: int = LIMIT"),
    ],
)
def test_what_may_mean_something_else_has_another_digest(before: str, after: str) -> None:
    assert before in SOURCE
    assert syntax_digest(SOURCE.replace(before, after).encode()) != syntax_digest(SOURCE.encode())


def test_a_class_with_a_docstring_alone_says_what_an_empty_one_does() -> None:
    assert syntax_digest(b'class Error(Exception):\n    """It failed."""') == syntax_digest(
        b"class Error(Exception): pass"
    )


def test_every_module_of_the_project_formatted_differently_says_the_same() -> None:
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        source = path.read_bytes()
        assert syntax_digest(ast.unparse(ast.parse(source)).encode()) == syntax_digest(source), path


@pytest.fixture
def shop(tmp_path: Path) -> ShopFolder:
    return shop_folder(tmp_path, purchases="customer,article,bought_at\nu1,a,2017-03-01 10:00:00\n")


def found(shop: ShopFolder) -> str:
    return sources_fingerprint(shop.shop(), shop.home)


def test_an_event_is_new_at_once_and_once(shop: ShopFolder) -> None:
    before = found(shop)
    with journal_sink(shop.home.feedback) as log:
        asyncio.run(log.take([an_event("e1")]))
        first = found(shop)
        asyncio.run(log.take([an_event("e2")]))
        second = found(shop)
    assert len({before, first, second}) == 3
    assert found(shop) == second


def test_an_event_is_new_though_the_machines_clock_was_set_back(
    shop: ShopFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = FeedbackLayout(shop.home.feedback).events
    with journal_sink(shop.home.feedback) as log:
        asyncio.run(log.take([an_event("e1")]))
    before = found(shop)
    monkeypatch.setattr("components.feedback.segments.files.time.time_ns", lambda: 1)
    with journal_sink(shop.home.feedback) as log:
        asyncio.run(log.take([an_event("e2")]))
        os.utime(segments(folder)[-1], (0, 0))
        first = found(shop)
        asyncio.run(log.take([an_event("e3")]))
        os.utime(segments(folder)[-1], (0, 0))
        second = found(shop)
    assert len({before, first, second}) == 3
    logged = b"".join(segment.read_bytes() for segment in segments(folder))
    assert logged.index(b'"e1"') < logged.index(b'"e2"') < logged.index(b'"e3"'), "names sort by opening"


def test_a_list_is_new_when_its_session_is_over_wherever_it_lies(shop: ShopFolder) -> None:
    now = datetime.now(UTC)
    with journal_sink(shop.home.feedback) as log:
        log.show(a_list("r1", logged_at=now - 2 * HOUR))
        while log.facts.lists_queued:
            pass
        first = found(shop)
        log.show(a_list("r2", logged_at=now))
    assert found(shop) == first != sources_fingerprint(shop.shop())
    with journal_sink(shop.home.feedback) as log:
        log.show(a_list("r3", logged_at=now - HOUR))
    assert found(shop) != first
